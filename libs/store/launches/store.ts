import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor, Trx } from '../database.ts'

/** Seconds that a permit counts even after its node's row has ended: so long a launch may still be on its way. */
const inTheAirSeconds = 60

/** A node that counts against the caps: it was allowed to have a machine, and is not known to have none any more. */
export interface PermittedNode {
  readonly nodeId: string
  readonly cellId: string
}

/** Waits for its turn: launches of one region are permitted one after the other, whatever process asks. */
export async function lockLaunches(trx: Trx, region: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`launches of ${region}`}, 0))`.execute(trx)
}

/** Every node of the region that counts. Under `lockLaunches`, or it is old at once. */
export async function listPermitted(
  executor: Executor,
  _proof: Authorized<'node', 'update'>,
  region: string,
): Promise<readonly PermittedNode[]> {
  return executor
    .selectFrom('nodes')
    .innerJoin('cells', 'cells.id', 'nodes.cell_id')
    .select(['nodes.id as nodeId', 'nodes.cell_id as cellId'])
    .where('cells.region', '=', region)
    .where('nodes.launch_permitted_at', 'is not', null)
    .where(
      sql<boolean>`(nodes.state <> 'deleted' or nodes.launch_permitted_at > now() - make_interval(secs => ${inTheAirSeconds}))`,
    )
    .execute()
}

/** Regions of these cells, tombstones included; a cell that no row knows is missing. */
export async function regionsOfCells(
  executor: Executor,
  _proof: Authorized<'node', 'update'>,
  cellIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (cellIds.length === 0) return new Map()
  const rows = await executor.selectFrom('cells').select(['id', 'region']).where('id', 'in', cellIds).execute()
  return new Map(rows.map(({ id, region }) => [id, region]))
}

/** How one machine of a cell went. */
export interface LaunchRecord {
  readonly nodeId: string
  readonly permittedAt: Date
  readonly firstReadyAt: Date | undefined
  readonly endedAt: Date | undefined
  /** It was taken away on purpose: drained, or replaced for a reason that was known before. */
  readonly planned: boolean
}

/** The newest machines of a cell first, ended ones included. */
export async function listLaunches(
  executor: Executor,
  _proof: Authorized<'node', 'update'>,
  cellId: string,
  limit: number,
): Promise<readonly LaunchRecord[]> {
  const rows = await executor
    .selectFrom('nodes')
    .select(['id', 'launch_permitted_at', 'first_ready_at', 'ended_at', 'retire_reason', 'draining_since'])
    .where('cell_id', '=', cellId)
    .where('launch_permitted_at', 'is not', null)
    .orderBy('launch_permitted_at', 'desc')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.flatMap((row) =>
    row.launch_permitted_at === null
      ? []
      : [
          {
            nodeId: row.id,
            permittedAt: row.launch_permitted_at,
            firstReadyAt: row.first_ready_at ?? undefined,
            endedAt: row.ended_at ?? undefined,
            planned: row.retire_reason !== null || row.draining_since !== null,
          },
        ],
  )
}

/**
 * Lets a node have a machine, from now: a launch that is tried again is in the air again.
 * @returns false when the node is to be taken away, or has been.
 */
export async function permitLaunch(trx: Trx, proof: Authorized<'node', 'update'>): Promise<boolean> {
  const row = await trx
    .updateTable('nodes')
    .set({ launch_permitted_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', proof.target.nodeId)
    .where('state', 'not in', ['deleting', 'deleted'])
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

/** How the call to launch it ended. */
export async function recordLaunchCall(
  executor: Executor,
  proof: Authorized<'node', 'update'>,
  outcome: 'ok' | 'failed',
): Promise<void> {
  await executor
    .updateTable('nodes')
    .set((eb) =>
      outcome === 'ok'
        ? { launch_failures: 0, launch_failed_at: null }
        : { launch_failures: eb('launch_failures', '+', 1), launch_failed_at: sql<Date>`clock_timestamp()` },
    )
    .where('id', '=', proof.target.nodeId)
    .execute()
}
