import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'
import type { NodeLaunchesTable } from './table.ts'

export type NodeLaunchRow = Selectable<NodeLaunchesTable>

/** Of those among these nodes whose launch has begun, in no order. */
export async function listNodeLaunches(
  executor: Executor,
  _proof: Authorized<'node', 'list'>,
  nodeIds: readonly string[],
): Promise<readonly NodeLaunchRow[]> {
  if (nodeIds.length === 0) return []
  return executor
    .selectFrom('node_launches')
    .selectAll()
    .where('node_id', 'in', [...nodeIds])
    .execute()
}

/**
 * Writes the entry over the one of this revision; 0 stands for none. @returns false when there is another revision, and when
 * the node goes, or its launch was ended: then nothing may be launched for it.
 */
export async function writeNodeLaunch(
  executor: Executor,
  proof: Authorized<'node', 'update'>,
  expectedRevision: number,
  entry: object,
): Promise<boolean> {
  const { nodeId } = proof.target
  const written = JSON.stringify(entry)
  const { rows } =
    expectedRevision === 0
      ? await sql`
          insert into node_launches (node_id, entry)
          select id, ${written}::jsonb from nodes where id = ${nodeId} and state not in ('deleting', 'deleted')
          on conflict do nothing returning node_id`.execute(executor)
      : await sql`
          update node_launches set entry = ${written}::jsonb, revision = revision + 1
          where node_id = ${nodeId} and revision = ${expectedRevision} and not ended
            and exists (select from nodes where id = ${nodeId} and state not in ('deleting', 'deleted'))
          returning node_id`.execute(executor)
  return rows.length === 1
}

/** Nothing is launched for the node any more. */
export async function endNodeLaunch(executor: Executor, proof: Authorized<'node', 'update'>): Promise<void> {
  await executor
    .updateTable('node_launches')
    .set({ ended: true })
    .where('node_id', '=', proof.target.nodeId)
    .where('ended', '=', false)
    .execute()
}
