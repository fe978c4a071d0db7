import { sql } from 'kysely'
import type { NodeState } from '#libs/domain/cells'
import type { NodeReport, NodeRole } from '#libs/domain/nodes'
import type { Database } from '../database.ts'

// Who asks is a node whose certificate was looked at, and its id comes from there: there is nobody to authorize beyond that.

export interface SealedManifest {
  readonly generation: number
  /** For the place `node_manifests/<node>/<generation>`. */
  readonly sealed: string
}

/** What the node is to be; undefined when nobody said so yet, and for a node that goes. */
export async function readSealedManifest(database: Database, nodeId: string): Promise<SealedManifest | undefined> {
  const row = await database.all
    .selectFrom('node_manifests')
    .select(['generation', 'manifest_sealed'])
    .where('node_id', '=', nodeId)
    .executeTakeFirst()
  return row === undefined ? undefined : { generation: row.generation, sealed: row.manifest_sealed }
}

/** Whose the node is, how far, and what for; undefined when there never was one. */
export async function readNodeState(
  database: Database,
  nodeId: string,
): Promise<{ readonly cellId: string; readonly state: NodeState; readonly role: NodeRole } | undefined> {
  const row = await database.all
    .selectFrom('nodes')
    .select(['cell_id', 'state', 'role'])
    .where('id', '=', nodeId)
    .executeTakeFirst()
  return row === undefined ? undefined : { cellId: row.cell_id, state: row.state, role: row.role }
}

/**
 * Takes up what a node says: news at once, and otherwise when the last of it is as old as `freshMs`.
 * @returns false when there is no such node any more.
 */
export async function recordReport(
  database: Database,
  nodeId: string,
  report: NodeReport,
  freshMs: number,
): Promise<boolean> {
  const { state, generation, detail, notice } = report
  const said = notice === undefined ? null : JSON.stringify(notice)
  const { rows } = await sql<{ readonly taken: boolean }>`
    select report_node(${nodeId}, ${state}, ${generation}::bigint, ${detail}, ${said}::jsonb,
      make_interval(secs => ${freshMs / 1000})) as taken`.execute(database.all)
  return rows[0]?.taken === true
}

/** Why a machine with a good token is not let in. */
export type JoinRefusal =
  | 'no_such_node'
  | 'machine_not_seen'
  | 'other_machine'
  | 'other_address'
  | 'other_key'
  | 'expired'

export type JoinOutcome =
  | { readonly refused: JoinRefusal }
  | {
      readonly refused?: never
      /** Absent until the provisioner has signed it. */
      readonly chainPem?: string
      readonly discoveryUrl: string
    }

export interface JoinAttempt {
  readonly nodeId: string
  readonly machineId: string
  /** Where the connection came from. */
  readonly sourceAddress: string
  /** SHA-256 of the request's key (SPKI), in hex. */
  readonly publicKey: string
  readonly csrPem: string
}

/** Makes the machine the node, once: the same key again is answered again. The token was checked before. */
export async function joinNode(database: Database, attempt: JoinAttempt): Promise<JoinOutcome> {
  const { nodeId, machineId, sourceAddress, publicKey, csrPem } = attempt
  const { rows } = await sql<{
    readonly outcome: JoinRefusal | 'joined'
    readonly chain_pem: string | null
    readonly discovery_url: string | null
  }>`select * from join_node(${nodeId}, ${machineId}, ${sourceAddress}, ${publicKey}, ${csrPem})`.execute(database.all)
  const [row] = rows
  if (row === undefined) throw new Error('join_node answered nothing')
  if (row.outcome !== 'joined') return { refused: row.outcome }
  return { discoveryUrl: row.discovery_url ?? '', ...(row.chain_pem === null ? {} : { chainPem: row.chain_pem }) }
}

/** What the certificates of nodes lead to. */
export async function readNodeRootCertificate(database: Database): Promise<string> {
  const { rows } = await sql<{ readonly pem: string | null }>`select node_root_certificate() as pem`.execute(
    database.all,
  )
  const pem = rows[0]?.pem
  if (pem == null) throw new Error('there is no node root CA: run `npm start`, or the migrations, first')
  return pem
}
