import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import type { MoveState } from '#libs/domain/moves'
import type { NamespaceState } from '#libs/domain/namespaces'
import type { Executor, Trx } from '../database.ts'
import { newLeaseEnd, StaleWriterError } from '../lease.ts'
import type { MovesTable } from './table.ts'

export type MoveRow = Selectable<MovesTable>

/** @throws AppError `not_found` */
export async function getMove(
  executor: Executor,
  proof: Authorized<'move', 'read'> | Authorized<'move', 'update'>,
): Promise<MoveRow> {
  const { moveId } = proof.target
  const row = await executor.selectFrom('moves').selectAll().where('id', '=', moveId).executeTakeFirst()
  if (row === undefined) throw notFound('move', moveId)
  return row
}

/** By id, ascending; ended ones too. */
export async function listMoves(
  executor: Executor,
  _proof: Authorized<'move', 'list'>,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly MoveRow[]> {
  return executor.selectFrom('moves').selectAll().where('id', '>', page.after).orderBy('id').limit(page.limit).execute()
}

/**
 * Moves that somebody has to work on, the oldest first. Of those that copy, only so many away from one cell at a time: it can be
 * emptied without its tenants noticing. Those that are past the hand-over only wait, and hold up nobody.
 */
export async function listMovesToDo(
  executor: Executor,
  _proof: Authorized<'move', 'list'>,
  atOnce: number,
): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from (
      select id, retry_at, leased_until,
        state in ('switching', 'leaving') as past,
        row_number() over (partition by source_cell_id, state in ('switching', 'leaving') order by created_at, id) as place
      from moves where finished_at is null) as open
    where (past or place <= ${atOnce}) and (retry_at is null or retry_at < now()) and (leased_until is null or leased_until < now())`.execute(
    executor,
  )
  return rows.map((row) => row.id)
}

/** Cells that replicate namespaces with this one now. */
export async function listPeers(executor: Executor, _proof: Authorized<'node', 'update'>, cellId: string) {
  const { rows } = await sql<{ peer: string }>`
    select distinct case when source_cell_id = ${cellId} then target_cell_id else source_cell_id end as peer
    from moves where finished_at is null and ${cellId} in (source_cell_id, target_cell_id) order by peer`.execute(
    executor,
  )
  return rows.map((row) => row.peer)
}

/** Whether a move of the namespace is open: both cells may have a part in it. */
export async function isMoving(executor: Executor, proof: Authorized<'namespace', 'update'>): Promise<boolean> {
  const row = await executor
    .selectFrom('moves')
    .select('id')
    .where('namespace_id', '=', proof.target.namespaceId)
    .where('finished_at', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

/** Whether another move than this one needs the two cells to know each other. */
export async function isPairInUse(
  executor: Executor,
  _proof: Authorized<'move', 'update'>,
  { id, source_cell_id: one, target_cell_id: other }: MoveRow,
): Promise<boolean> {
  const { rows } = await sql`
    select from moves where finished_at is null and id <> ${id}
      and source_cell_id in (${one}, ${other}) and target_cell_id in (${one}, ${other}) limit 1`.execute(executor)
  return rows.length > 0
}

export interface MoveRecord {
  readonly state?: MoveState
  readonly waitingFor?: string
  readonly failures?: number
  readonly restMs?: number
}

/** Writes what a pass saw, and renews its lease. @throws StaleWriterError when the lease is no longer this pass's. */
export async function recordMove(
  executor: Executor,
  proof: Authorized<'move', 'update'>,
  holder: string,
  record: MoveRecord,
): Promise<void> {
  const { state } = record
  const row = await executor
    .updateTable('moves')
    .set({
      updated_at: new Date(),
      leased_until: newLeaseEnd(),
      retry_at: record.restMs === undefined ? null : sql<Date>`now() + make_interval(secs => ${record.restMs / 1000})`,
      ...(state === undefined ? {} : { state, state_since: sql<Date>`now()`, failures: 0, waiting_for: '' }),
      ...(state === 'done' || state === 'aborted' ? { finished_at: sql<Date>`now()` } : {}),
      ...(record.waitingFor === undefined ? {} : { waiting_for: record.waitingFor }),
      ...(record.failures === undefined ? {} : { failures: record.failures }),
    })
    .where('id', '=', proof.target.moveId)
    .where('lease_owner', '=', holder)
    // Who wants it undone may have come first.
    .$if(state === 'handing_over', (query) => query.where('abort_reason', 'is', null))
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`another pass works on ${proof.target.moveId}, or it is aborted`)
}

/**
 * One that is being handed over is undone if that is taken back, which happens when it takes too long.
 * @throws AppError `not_found`, `precondition` once it was handed over
 */
export async function abortMove(trx: Trx, proof: Authorized<'move', 'update'>, reason: string): Promise<MoveRow> {
  const { moveId } = proof.target
  const row = await trx
    .updateTable('moves')
    .set({ abort_reason: reason, updated_at: new Date() })
    .where('id', '=', moveId)
    .where('state', 'in', ['connecting', 'replicating', 'handing_over'])
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const { state } = await getMove(trx, proof)
  if (state === 'aborting' || state === 'aborted') return getMove(trx, proof)
  throw new AppError(
    'precondition',
    `the move ${moveId} is ${state}: it cannot be undone any more. Move it back instead`,
  )
}

/** Says in the namespace's row that it is on the move's target now, and that nothing is known of it there yet. */
export async function placeMoved(
  trx: Trx,
  _proof: Authorized<'move', 'update'>,
  { namespace_id: id, source_cell_id: source, target_cell_id: target }: MoveRow,
): Promise<void> {
  await trx
    .updateTable('namespaces')
    .set((eb) => ({
      cell_id: target,
      generation: eb('generation', '+', 1),
      cell_observed: JSON.stringify({ kind: 'unknown' }),
      edge_observed: JSON.stringify({ kind: 'unknown' }),
      limits_observed: null,
      retry_at: null,
      state: sql<NamespaceState>`case when state = 'active' then 'updating' else state end`,
    }))
    .where('id', '=', id)
    .where('cell_id', '=', source)
    .execute()
  // Endpoints live on the cell of their target.
  await sql`
    update nexus_endpoints set generation = generation + 1, retry_at = null,
      state = case when state = 'active' then 'updating' else state end
    where target_namespace_id = ${id} and state <> 'deleted'`.execute(trx)
}
