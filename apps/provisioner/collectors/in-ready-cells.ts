import { type Authorized, systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import type { NodeRow } from '#libs/store/nodes'
import { listSweptCells, listSweptNodes } from '#libs/store/sweeps'
import { pagesOf } from '../pages.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CellClient } from '../temporal/cell-client.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface CellCollectorDeps extends CollectorDeps {
  readonly outward: Outward
  /** With the cell's nodes, where they were read already. */
  readonly cellClient: (cellId: string, nodes?: readonly NodeRow[]) => Promise<CellClient>
  /** That the round is no longer ours. */
  readonly signal?: AbortSignal
}

const system = systemActor('cell-collectors')
/** Cells of one statement. */
const cellsPerPage = 250
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
  const search = async (cellId: string, nodes: readonly NodeRow[]) => {
    try {
      const count = await collect(await deps.cellClient(cellId, nodes), cellId)
      // Not in one: `+=` would add to what it was before the wait, and searches go on side by side.
      collected += count
    } catch (thrown) {
      logger.warn({ cell: cellId, err: coerceError(thrown) }, `a cell could not be searched for ${sought}`)
    }
  }
  const { all } = deps.database
  const mayListNodes = system.authorize('node', 'list', { fleet: true })
  for await (const cells of pagesOf((page) => listSweptCells(all, proof, page), signal, cellsPerPage)) {
    const ids = cells.flatMap(({ id, state }) => (state === 'ready' ? [id] : []))
    const ofCell = Map.groupBy(await listSweptNodes(all, mayListNodes, ids), (node) => node.cell_id)
    const searchOn = async () => {
      for (let id = ids.pop(); id !== undefined && !signal.aborted; id = ids.pop())
        await search(id, ofCell.get(id) ?? [])
    }
    await Promise.all(Array.from({ length: atOnce }, searchOn))
  }
  return collected
}
