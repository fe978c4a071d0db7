import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'
import type { NodeJoinsTable, NodeReportsTable } from './table.ts'

type Proof = Authorized<'node', 'update'>
export type NodeReportRow = Selectable<NodeReportsTable>
export type NodeJoinRow = Selectable<NodeJoinsTable>

/** Keeps a manifest for the node to fetch, unless there is one of this generation or of a later one. */
export async function storeManifest(
  executor: Executor,
  proof: Proof,
  manifest: { readonly generation: number; readonly sealed: string },
): Promise<void> {
  const { generation, sealed } = manifest
  await executor
    .insertInto('node_manifests')
    .values({ node_id: proof.target.nodeId, generation, manifest_sealed: sealed })
    .onConflict((conflict) =>
      conflict
        .column('node_id')
        .doUpdateSet({ generation, manifest_sealed: sealed, stored_at: sql`now()` })
        .where('node_manifests.generation', '<', generation),
    )
    .execute()
}

/** What these nodes said last, in no order; of those that never spoke, nothing. */
export async function listReports(
  executor: Executor,
  _proof: Authorized<'node', 'list'>,
  nodeIds: readonly string[],
): Promise<readonly NodeReportRow[]> {
  if (nodeIds.length === 0) return []
  return executor
    .selectFrom('node_reports')
    .selectAll()
    .where('node_id', 'in', [...nodeIds])
    .execute()
}

/** Nothing is left: no manifest, no report, and no way to join. */
export async function forgetNodeMail(executor: Executor, proof: Proof): Promise<void> {
  const { nodeId } = proof.target
  for (const table of ['node_joins', 'node_manifests', 'node_reports'] as const) {
    await executor.deleteFrom(table).where('node_id', '=', nodeId).execute()
  }
}

/**
 * Lets one machine join as the node until then. Said again before a machine was seen, it puts the end off; afterwards it
 * changes nothing. A node that goes, or went, gets no way to join.
 */
export async function openNodeJoin(
  executor: Executor,
  proof: Proof,
  join: { readonly discoveryUrl: string; readonly expiresAt: Date },
): Promise<void> {
  const { discoveryUrl, expiresAt } = join
  await sql`
    insert into node_joins (node_id, discovery_url, expires_at)
    select id, ${discoveryUrl}, ${expiresAt} from nodes
    where id = ${proof.target.nodeId} and state not in ('draining', 'deleting', 'deleted')
    on conflict (node_id) do update set discovery_url = excluded.discovery_url, expires_at = excluded.expires_at
    where node_joins.machine_id is null`.execute(executor)
}

/**
 * The machine that the driver saw, the only one that may join as the node, until then; another one takes its place for as
 * long as nobody has joined. @returns false when another machine has joined already.
 */
export async function recordExpectedMachine(
  executor: Executor,
  proof: Proof,
  machine: { readonly machineId: string; readonly address: string; readonly expiresAt: Date },
): Promise<boolean> {
  const { nodeId } = proof.target
  const { machineId, address, expiresAt } = machine
  await executor
    .updateTable('node_joins')
    .set({ machine_id: machineId, address, expires_at: expiresAt })
    .where('node_id', '=', nodeId)
    .where('public_key', 'is', null)
    // Seeing the same one again gives it no more time.
    .where(sql<boolean>`(machine_id, address) is distinct from (${machineId}, ${address})`)
    .execute()
  const row = await findNodeJoin(executor, proof)
  return row?.machine_id === machineId && row.address === address
}

/** Who may join as the node, and what it asked with if it did; undefined while no machine may. */
export async function findNodeJoin(executor: Executor, proof: Proof): Promise<NodeJoinRow | undefined> {
  return executor.selectFrom('node_joins').selectAll().where('node_id', '=', proof.target.nodeId).executeTakeFirst()
}

/** Keeps the chain of certificates for the node to fetch. @returns false when it has one already, or did not join. */
export async function recordNodeChain(executor: Executor, proof: Proof, chainPem: string): Promise<boolean> {
  const row = await executor
    .updateTable('node_joins')
    .set({ chain_pem: chainPem, signed_at: new Date() })
    .where('node_id', '=', proof.target.nodeId)
    .where('public_key', 'is not', null)
    .where('chain_pem', 'is', null)
    .returning('node_id')
    .executeTakeFirst()
  return row !== undefined
}
