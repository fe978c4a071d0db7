import type { Authorized } from '#libs/authz'
import { coerceError } from '#libs/base'
import { listSweptCells } from '#libs/store/sweeps'
import { pagesOf } from '../pages.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CellClient } from '../temporal/cell-client.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface CellCollectorDeps extends CollectorDeps {
  readonly outward: Outward
  readonly cellClient: (cellId: string) => Promise<CellClient>
  /** That the round is no longer ours. */
  readonly signal?: AbortSignal
}

/** Cells that are searched at once: one that hangs keeps no more than its own place from the others. */
const atOnce = 8

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
  const { logger, signal = new AbortController().signal } = deps
  let collected = 0
  const search = async (cellId: string) => {
    try {
      const count = await collect(await deps.cellClient(cellId), cellId)
      // Not in one: `+=` would add to what it was before the wait, and searches go on side by side.
      collected += count
    } catch (thrown) {
      logger.warn({ cell: cellId, err: coerceError(thrown) }, `a cell could not be searched for ${sought}`)
    }
  }
  for await (const cells of pagesOf((page) => listSweptCells(deps.database.all, proof, page), signal)) {
    const waiting = cells.filter(({ state }) => state === 'ready')
    const searchOn = async () => {
      for (let next = waiting.pop(); next !== undefined && !signal.aborted; next = waiting.pop()) await search(next.id)
    }
    await Promise.all(Array.from({ length: atOnce }, searchOn))
  }
  return collected
}
