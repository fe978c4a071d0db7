import type { Selectable } from 'kysely'
import type { Authorized } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import type { NodeTemplate } from '#libs/domain/nodes'
import { isOpen, type RolloutState } from '#libs/domain/rollouts'
import type { Executor, Trx } from '../database.ts'
import { newLeaseEnd, StaleWriterError } from '../lease.ts'
import { addMissingCells } from './cells.ts'
import type { RolloutsTable } from './table.ts'

export type RolloutRow = Selectable<RolloutsTable>

export interface NewRollout {
  readonly region: string
  readonly target: NodeTemplate
  readonly canaryCellId: string
  readonly cellsAtOnce: number
  readonly soakSeconds: number
  readonly nodeSeconds: number
  readonly unwellSeconds: number
  /** The operator's name. */
  readonly createdBy: string
}

/** The one of the region that has not ended. */
export async function findOpenRollout(
  executor: Executor,
  _proof: Authorized<'rollout', 'list'>,
  region: string,
): Promise<RolloutRow | undefined> {
  return executor
    .selectFrom('rollouts')
    .selectAll()
    .where('region', '=', region)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
}

/** With all cells that the region has. Lock the region first: there is one open rollout a region. @returns its id. */
export async function createRollout(
  trx: Trx,
  _proof: Authorized<'rollout', 'create'>,
  rollout: NewRollout,
): Promise<string> {
  const id = newId('roll')
  await trx
    .insertInto('rollouts')
    .values({
      id,
      region: rollout.region,
      target: JSON.stringify(rollout.target),
      canary_cell_id: rollout.canaryCellId,
      cells_at_once: rollout.cellsAtOnce,
      soak_seconds: rollout.soakSeconds,
      node_seconds: rollout.nodeSeconds,
      unwell_seconds: rollout.unwellSeconds,
      created_by: rollout.createdBy,
    })
    .execute()
  await addMissingCells(trx, id, rollout.region)
  return id
}

/** @throws AppError `not_found` */
export async function getRollout(
  executor: Executor,
  proof: Authorized<'rollout', 'read'> | Authorized<'rollout', 'update'>,
): Promise<RolloutRow> {
  const { rolloutId } = proof.target
  const row = await executor.selectFrom('rollouts').selectAll().where('id', '=', rolloutId).executeTakeFirst()
  if (row === undefined) throw notFound('rollout', rolloutId)
  return row
}

/** Newest first. */
export async function listRollouts(
  executor: Executor,
  _proof: Authorized<'rollout', 'list'>,
  page: { readonly before: number | undefined; readonly limit: number },
): Promise<readonly RolloutRow[]> {
  let query = executor.selectFrom('rollouts').selectAll().orderBy('seq', 'desc').limit(page.limit)
  if (page.before !== undefined) query = query.where('seq', '<', page.before)
  return query.execute()
}

/** Ids of those that have not ended. */
export async function listOpenRollouts(
  executor: Executor,
  _proof: Authorized<'rollout', 'list'>,
): Promise<readonly string[]> {
  const rows = await executor.selectFrom('rollouts').select('id').where('ended_at', 'is', null).orderBy('id').execute()
  return rows.map(({ id }) => id)
}

/** For a change of its state: passes that are about to write wait, and then write nothing. @throws AppError `not_found` */
export async function lockRollout(trx: Trx, proof: Authorized<'rollout', 'update'>): Promise<RolloutRow> {
  const { rolloutId } = proof.target
  const row = await trx.selectFrom('rollouts').selectAll().where('id', '=', rolloutId).forUpdate().executeTakeFirst()
  if (row === undefined) throw notFound('rollout', rolloutId)
  return row
}

/** An operator's change of state, of a row that is locked. Passes that began before it write nothing any more. */
export async function changeRollout(
  trx: Trx,
  proof: Authorized<'rollout', 'update'>,
  change: { readonly to: RolloutState; readonly reason: string; readonly at: Date },
): Promise<void> {
  await trx
    .updateTable('rollouts')
    .set((eb) => ({
      state: change.to,
      reason: change.reason,
      generation: eb('generation', '+', 1),
      updated_at: change.at,
      ended_at: isOpen(change.to) ? null : change.at,
    }))
    .where('id', '=', proof.target.rolloutId)
    .execute()
}

export interface RolloutFence {
  readonly holder: string
  readonly generation: number
}

export interface RolloutRecord {
  readonly state?: RolloutState
  readonly reason?: string
  readonly failures?: number
  readonly at: Date
}

/**
 * Writes what a pass decided, and renews its lease; the first statement of whatever else it writes.
 * @throws StaleWriterError when the lease is no longer this pass's, or an operator changed the rollout meanwhile.
 */
export async function recordRollout(
  executor: Executor,
  proof: Authorized<'rollout', 'update'>,
  { holder, generation }: RolloutFence,
  { state, reason, failures, at }: RolloutRecord,
): Promise<void> {
  const { rolloutId } = proof.target
  const row = await executor
    .updateTable('rollouts')
    .set({
      updated_at: at,
      leased_until: newLeaseEnd(),
      ...(state === undefined ? {} : { state, ended_at: isOpen(state) ? null : at }),
      ...(reason === undefined ? {} : { reason }),
      ...(failures === undefined ? {} : { failures }),
    })
    .where('id', '=', rolloutId)
    .where('lease_owner', '=', holder)
    .where('generation', '=', generation)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`the lease on ${rolloutId} was lost, or it was changed`)
}
