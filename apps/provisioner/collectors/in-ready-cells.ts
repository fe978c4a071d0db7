import type { Authorized } from '#libs/authz'
import { coerceError } from '#libs/base'
import { everyCell } from '../every-cell.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CellClient } from '../temporal/cell-client.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface CellCollectorDeps extends CollectorDeps {
  readonly outward: Outward
  readonly cellClient: (cellId: string) => Promise<CellClient>
}

/**
 * Collects in every ready cell. One that cannot be searched stops no other, and is told of.
 * @param sought as it is called in the log.
 * @param collect answers how much it collected in the cell.
 * @returns how much was collected in all.
 */
export async function collectInReadyCells(
  deps: CellCollectorDeps,
  proof: Authorized<'cell', 'list'>,
  sought: string,
  collect: (client: CellClient, cellId: string) => Promise<number>,
): Promise<number> {
  let collected = 0
  for await (const { id, state } of everyCell(deps.database.all, proof)) {
    if (state !== 'ready') continue
    try {
      collected += await collect(await deps.cellClient(id), id)
    } catch (thrown) {
      deps.logger.warn({ cell: id, err: coerceError(thrown) }, `a cell could not be searched for ${sought}`)
    }
  }
  return collected
}
