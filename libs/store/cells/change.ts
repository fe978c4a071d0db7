import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import { type CellSize, historyShardsFor, mayBecome } from '#libs/domain/cells'
import type { Trx } from '../database.ts'
import { type CellRow, lockPlacements } from './store.ts'

/** Whether it gets new namespaces. @throws AppError `not_found`, and `precondition` when it is being deleted */
export async function setCellDraining(
  trx: Trx,
  proof: Authorized<'cell', 'update'>,
  draining: boolean,
  at: Date,
): Promise<void> {
  const row = await lockedCell(trx, proof.target.cellId)
  if (row.state === 'deleting' || row.state === 'deleted') {
    throw new AppError('precondition', `the cell ${row.id} is ${row.state}`)
  }
  if (row.draining === draining) return
  await trx.updateTable('cells').set({ draining, updated_at: at }).where('id', '=', row.id).execute()
}

/**
 * Makes a cell larger; its nodes are the cell's own plan's to change. Said twice it is said once. Until its transaction ends, no
 * rollout begins in its region.
 * @returns which size it had.
 * @throws AppError `not_found`, and `precondition` when it has not come up, is being deleted, or cannot become that size.
 */
export async function setCellSize(
  trx: Trx,
  proof: Authorized<'cell', 'update'>,
  size: CellSize,
  at: Date,
): Promise<CellSize> {
  const row = await lockedCell(trx, proof.target.cellId)
  if (row.state === 'deleting' || row.state === 'deleted') {
    throw new AppError('precondition', `the cell ${row.id} is ${row.state}`)
  }
  if (row.size === size) return row.size
  // Its first node starts alone, and the larger size has another first slot: two would race on the cell's own metadata.
  if (row.state !== 'ready') {
    throw new AppError('precondition', `the cell ${row.id} is ${row.state}: wait until it is ready`)
  }
  if (!mayBecome(row.size, size, row.history_shards)) throw cannotBecome(row, size)
  await trx.updateTable('cells').set({ size, updated_at: at }).where('id', '=', row.id).execute()
  return row.size
}

function cannotBecome({ id, size, history_shards: shards }: CellRow, wanted: CellSize): AppError {
  const why =
    shards < historyShardsFor(wanted)
      ? `has ${shards} history shards, which never change, and a ${wanted} cell needs ${historyShardsFor(wanted)}`
      : `is ${size}, and cells only grow`
  return new AppError(
    'precondition',
    `the cell ${id} ${why}: make a ${wanted} cell instead, and move its namespaces there`,
  )
}

/** How many of the namespaces that are left a refusal names. */
const named = 5

/**
 * Has an empty cell deleted, with all that belongs to it; said twice it is said once.
 * @throws AppError `not_found`, and `precondition` with what is left on it.
 */
export async function retireCell(trx: Trx, proof: Authorized<'cell', 'delete'>, at: Date): Promise<void> {
  const row = await lockedCell(trx, proof.target.cellId)
  if (row.state === 'deleting' || row.state === 'deleted') return
  const left = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('cell_id', '=', row.id)
    .where('state', '<>', 'deleted')
    .orderBy('id')
    .execute()
  if (left.length > 0) {
    const ids = left.slice(0, named).map(({ id }) => id)
    const others = left.length > named ? ` and ${left.length - named} others` : ''
    throw new AppError(
      'precondition',
      `namespaces are left on the cell ${row.id}: ${ids.join(', ')}${others}. Move them or have them deleted first`,
    )
  }
  const { rows: moves } = await sql<{ readonly id: string }>`
    select id from moves where finished_at is null and ${row.id} in (source_cell_id, target_cell_id) limit 1`.execute(
    trx,
  )
  if (moves[0] !== undefined) {
    throw new AppError('precondition', `the cell ${row.id} is part of the move ${moves[0].id}, which has not ended`)
  }
  await trx
    .updateTable('cells')
    .set({ state: 'deleting', draining: true, updated_at: at })
    .where('id', '=', row.id)
    .execute()
}

/** With the lock of its region's placements: no namespace comes to it meanwhile. */
async function lockedCell(trx: Trx, cellId: string): Promise<CellRow> {
  const found = await trx.selectFrom('cells').select('region').where('id', '=', cellId).executeTakeFirst()
  if (found === undefined) throw notFound('cell', cellId)
  await lockPlacements(trx, found.region)
  return trx.selectFrom('cells').selectAll().where('id', '=', cellId).executeTakeFirstOrThrow()
}
