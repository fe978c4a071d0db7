import { type Authorized, authorize, type OperatorClaims } from '#libs/authz'
import { AppError } from '#libs/base'
import { type CellSize, machineLimit, slotsOf } from '#libs/domain/cells'
import type { Trx } from '#libs/store'
import { getCell, listCellsOfRegion, setCellSize } from '#libs/store/cells'
import { findOpenRollout } from '#libs/store/rollouts'
import type { OperatorContext } from './operator-context.ts'

/**
 * Makes a cell larger if nothing is in the way; asked for again, it changes nothing.
 *
 * A rollout is in the way: it judges a cell by how its new nodes come up, and would take the growth for its own success or
 * failure. A move is not: it goes by the cell's history shards, which stay, and by any frontend that is ready, which it looks up anew
 * each time.
 * @returns which size it had.
 * @throws AppError `not_found` or `precondition`, which says what to do. Its transaction must not be committed then.
 */
export async function resizeCell(
  trx: Trx,
  claims: OperatorClaims,
  { regions, clock }: Pick<OperatorContext, 'regions' | 'clock'>,
  proof: Authorized<'cell', 'update'>,
  size: CellSize,
): Promise<CellSize> {
  const from = await setCellSize(trx, proof, size, clock.now())
  if (from === size) return from
  const { id, region: regionId } = await getCell(trx, proof)
  const region = regions.find((candidate) => candidate.id === regionId)
  if (region === undefined) {
    throw new AppError('precondition', `the region ${regionId} of the cell ${id} is not among AQUEDUCT_REGIONS`)
  }
  const open = await findOpenRollout(trx, authorize(claims, 'rollout', 'list', { fleet: true }), regionId)
  if (open !== undefined) {
    throw new AppError(
      'precondition',
      `the region ${regionId} has the rollout ${open.id}, which is ${open.state}: let it end first, or cancel it`,
    )
  }
  // With the new size, which is in the row by now. Half grown, the cell would keep machines that it has no use for.
  const cells = await listCellsOfRegion(trx, authorize(claims, 'cell', 'list', { fleet: true }), regionId)
  const others = cells.filter((cell) => cell.id !== id).reduce((sum, cell) => sum + slotsOf(cell.size).length, 0)
  const needed = others + machineLimit(slotsOf(size))
  if (needed > region.nodeLimit) {
    throw new AppError(
      'precondition',
      `the cells of ${regionId} would need ${needed} machines, and its nodeLimit is ${region.nodeLimit}: raise it first`,
    )
  }
  return from
}
