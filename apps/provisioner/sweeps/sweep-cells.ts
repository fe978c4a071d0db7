import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import type { Region } from '#libs/config'
import { enqueueAll } from '#libs/jobs'
import type { CellRow } from '#libs/store/cells'
import type { NodeRow } from '#libs/store/nodes'
import { listSweptCells, listSweptNodes, type Swept } from '#libs/store/sweeps'
import type { Logger } from '#libs/telemetry'
import type { NodeDriver } from '../drivers/contract.ts'
import { pagesOf } from '../pages.ts'
import { cellNeedsPass } from '../reconcilers/cells/needs-pass.ts'
import { type ManifestDeps, manifestSettings } from '../reconcilers/nodes/manifest.ts'
import { nodeNeedsPass } from '../reconcilers/nodes/needs-pass.ts'
import type { CellClientSource } from '../temporal/cell-clients.ts'
import { listWorld, type World } from './world.ts'

export interface CellSweepDeps extends ManifestDeps {
  readonly logger: Logger
  readonly regions: readonly Region[]
  /** By region id. */
  readonly drivers: ReadonlyMap<string, NodeDriver>
  readonly cells: CellClientSource
}

export interface CellSweep {
  readonly cells: number
  readonly nodes: number
  /** Those that a pass was asked for. */
  readonly woken: readonly string[]
}

const system = systemActor('cell-sweep')
/** Cells of one statement; each is asked whether it answers, all of a page at once. */
const cellsPerPage = 250

/**
 * Looks at every cell and node, and wakes those that are not as they are to be: what was ready may not be any more. The
 * machines are listed once, before the rows; what is settled is left alone. One row or page that cannot be looked at stops
 * no other.
 */
export async function sweepCells(deps: CellSweepDeps, signal: AbortSignal): Promise<CellSweep> {
  const { all } = deps.database
  const mayList = system.authorize('cell', 'list', { fleet: true })
  const seen = await listWorld(deps)
  const live = new Set<string>()
  const total = { cells: 0, nodes: 0, woken: [] as string[] }
  const pages = pagesOf((page) => listSweptCells(all, mayList, page), signal, cellsPerPage)
  for await (const cells of pages) {
    for (const { id } of cells) live.add(id)
    try {
      const { nodes, woken } = await sweepPage(deps, cells, seen)
      total.cells += cells.length
      total.nodes += nodes
      total.woken.push(...woken)
    } catch (thrown) {
      deps.logger.error({ from: cells[0]?.id, err: coerceError(thrown) }, 'some cells could not be looked at')
    }
  }
  deps.cells.keepOnly(live)
  return total
}

async function sweepPage(
  deps: CellSweepDeps,
  cells: readonly Swept<CellRow>[],
  seen: World,
): Promise<{ readonly nodes: number; readonly woken: readonly string[] }> {
  const { all } = deps.database
  const ids = cells.map(({ id }) => id)
  const nodes = await listSweptNodes(all, system.authorize('node', 'list', { fleet: true }), ids)
  const ofCell = Map.groupBy(nodes, (node) => node.cell_id)
  const answering = await Promise.all(cells.map((cell) => answers(deps, cell, ofCell.get(cell.id) ?? [])))
  const wakeCells = cells.filter(
    (cell, index) =>
      !cell.busy &&
      needsPass(deps, { cell: cell.id }, () =>
        cellNeedsPass({ ...deps, row: cell, nodes: ofCell.get(cell.id) ?? [], answering: answering[index] ?? false }),
      ),
  )
  const wakeNodes = cells.flatMap((cell) =>
    (ofCell.get(cell.id) ?? []).filter(
      (node) => !node.busy && needsPass(deps, { node: node.id }, () => askNode(deps, node, cell, seen)),
    ),
  )
  const [cellIds, nodeIds] = [wakeCells, wakeNodes].map((rows) => rows.map(({ id }) => id))
  await enqueueAll(all, 'reconcile-cell', 'cellId', cellIds ?? [])
  await enqueueAll(all, 'reconcile-node', 'nodeId', nodeIds ?? [])
  return { nodes: nodes.length, woken: [...(cellIds ?? []), ...(nodeIds ?? [])] }
}

function askNode(deps: CellSweepDeps, row: NodeRow, cell: CellRow, seen: World): boolean {
  const instance = seen.find(row.id, cell.region)
  return nodeNeedsPass({ row, cell, instance, settings: manifestSettings(deps, row), clock: deps.clock })
}

/** One that cannot be judged is woken: its own pass fails then, and says so where an operator sees it. */
function needsPass(deps: CellSweepDeps, about: Readonly<Record<string, string>>, judge: () => boolean): boolean {
  try {
    return judge()
  } catch (thrown) {
    deps.logger.warn({ ...about, err: coerceError(thrown) }, 'it could not be told whether it is as it is to be')
    return true
  }
}

async function answers(deps: CellSweepDeps, cell: CellRow, nodes: readonly NodeRow[]): Promise<boolean> {
  if (cell.state !== 'ready') return false
  try {
    await deps.cells.at(cell.id, nodes).health()
    return true
  } catch (thrown) {
    deps.logger.debug({ cell: cell.id, err: coerceError(thrown) }, 'the cell does not answer')
    return false
  }
}
