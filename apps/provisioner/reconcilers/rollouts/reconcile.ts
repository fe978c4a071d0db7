import { type Authorized, systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { type CellProgress, planRollout, type Rollout, type RolloutCell, type RolloutStep } from '#libs/domain/rollouts'
import { enqueue } from '#libs/jobs'
import type { Database, Trx } from '#libs/store'
import { lockPlacements } from '#libs/store/cells'
import {
  addMissingCells,
  getRollout,
  listRolloutCells,
  type RolloutCellRow,
  type RolloutFence,
  type RolloutRow,
  recordRollout,
  recordRolloutCell,
  setCellTemplate,
} from '#libs/store/rollouts'
import type { Logger } from '#libs/telemetry'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import { type LookDeps, lookAtNodes, lookAtRow } from './look.ts'

export interface RolloutReconcilerDeps extends LookDeps {
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  /** Told of each rollout that ends, and of each that turns back. */
  readonly counted: (what: 'done' | 'rolled_back' | 'turned_back') => void
}

type Proof = Authorized<'rollout', 'update'>

const system = systemActor('rollout-reconciler')
/** Milliseconds between two looks at cells whose nodes are replaced. */
const lookMs = 1_000

/** One pass over one rollout: looks at the cells that it concerns now, and writes what is to be done about them. */
export async function reconcileRollout(deps: RolloutReconcilerDeps, rolloutId: string): Promise<Next> {
  const proof = system.authorize('rollout', 'update', { rolloutId })
  return leasedPass(deps, 'rollouts', rolloutId, async (holder) => {
    const row = await getRollout(deps.database.all, proof)
    if (row.ended_at !== null || row.state === 'halted') return settled
    const fence = { holder, generation: row.generation }
    try {
      return await advance(deps, proof, fence, row)
    } catch (thrown) {
      const failed = { logger: deps.logger, about: { rollout: row.id }, failures: row.failures, thrown }
      return await failedPass(failed, (_reason, failures) =>
        recordRollout(deps.database.all, proof, fence, { failures, at: deps.clock.now() }),
      )
    }
  })
}

async function advance(deps: RolloutReconcilerDeps, proof: Proof, fence: RolloutFence, row: RolloutRow): Promise<Next> {
  const rows = await listRolloutCells(deps.database.all, proof)
  const cells: RolloutCell[] = []
  for (const cell of rows) {
    cells.push(await viewOf(deps, row, cell))
    // However many cells there are, and however slowly they answer, the lease stays this pass's.
    await recordRollout(deps.database.all, proof, fence, { at: deps.clock.now() })
  }
  const now = deps.clock.now()
  const planned = planRollout(rolloutOf(row), cells, now.getTime())
  const steps = await deps.database.all.transaction().execute(async (trx) => {
    await lockPlacements(trx, row.region)
    const isLate = row.state === 'rolling' && (await addMissingCells(trx, row.id, row.region)) > 0
    const steps = isLate ? planned.filter((step) => step.kind !== 'end') : planned
    await recordRollout(trx, proof, fence, { ...stateAfter(steps), failures: 0, at: now })
    for (const [index, view] of cells.entries()) await noteLook(trx, proof, rows[index], view)
    const byId = new Map(rows.map((cell) => [cell.cell_id, cell]))
    for (const step of steps) await write(trx, proof, row, byId, step, now)
    return steps
  })
  tell(deps, row, steps)
  if (steps.some((step) => step.kind === 'end')) return settled
  return again(steps.length > 0 ? 0 : lookMs)
}

async function viewOf(deps: RolloutReconcilerDeps, row: RolloutRow, cell: RolloutCellRow): Promise<RolloutCell> {
  const isMoving = cell.progress === 'changing' || cell.progress === 'soaking' || cell.progress === 'reverting'
  const template = cell.progress === 'reverting' ? cell.previous : row.target
  const byRow = lookAtRow(cell)
  return {
    cellId: cell.cell_id,
    progress: cell.progress,
    since: cell.since.getTime(),
    judged: cell.judged,
    breaks: cell.breaks,
    ready: byRow.nodes === 'whole',
    look: isMoving ? await lookAtNodes(deps, cell, template, row.created_at) : byRow,
  }
}

function rolloutOf(row: RolloutRow): Rollout {
  return {
    state: row.state,
    canaryCellId: row.canary_cell_id,
    cellsAtOnce: row.cells_at_once,
    soakMs: row.soak_seconds * 1000,
    nodeMs: row.node_seconds * 1000,
    unwellMs: row.unwell_seconds * 1000,
  }
}

function stateAfter(steps: readonly RolloutStep[]): { readonly state?: RolloutRow['state']; readonly reason?: string } {
  for (const step of steps) {
    if (step.kind === 'roll') return { state: 'rolling' }
    if (step.kind === 'roll-back') return { state: 'rolling_back', reason: step.reason }
    if (step.kind === 'end') return { state: step.state }
  }
  return {}
}

/** Only what changed: most cells wait, or are done. */
async function noteLook(trx: Trx, proof: Proof, row: RolloutCellRow | undefined, { look, cellId }: RolloutCell) {
  const unwellSince = look.unwellSince === undefined ? null : new Date(look.unwellSince)
  if (row?.detail === look.detail && row.unwell_since?.getTime() === unwellSince?.getTime()) return
  await recordRolloutCell(trx, proof, cellId, { detail: look.detail, unwellSince })
}

const progressAfter = {
  'change-cell': 'changing',
  'soak-cell': 'soaking',
  'stop-soak': 'changing',
  'finish-cell': 'done',
  'revert-cell': 'reverting',
  'finish-revert': 'reverted',
} as const satisfies Readonly<Record<string, CellProgress>>

async function write(
  trx: Trx,
  proof: Proof,
  rollout: RolloutRow,
  cells: ReadonlyMap<string, RolloutCellRow>,
  step: RolloutStep,
  at: Date,
): Promise<void> {
  if (!('cellId' in step)) return
  const { cellId } = step
  const row = cells.get(cellId)
  if (row === undefined) throw new Error(`the rollout ${rollout.id} has no cell ${cellId}`)
  await recordRolloutCell(trx, proof, cellId, {
    progress: progressAfter[step.kind],
    since: at,
    ...(step.kind === 'change-cell' ? { judged: step.judged } : {}),
    ...(step.kind === 'stop-soak' ? { breaks: row.breaks + 1 } : {}),
  })
  if (step.kind !== 'change-cell' && step.kind !== 'revert-cell') return
  const template = step.kind === 'change-cell' ? rollout.target : row.previous
  await setCellTemplate(trx, system.authorize('cell', 'update', { cellId }), template, at)
  await enqueue(trx, 'reconcile-cell', { cellId })
}

function tell({ logger, counted }: RolloutReconcilerDeps, row: RolloutRow, steps: readonly RolloutStep[]): void {
  for (const step of steps) {
    const about = { rollout: row.id, region: row.region, ...step }
    if (step.kind === 'roll-back') {
      counted('turned_back')
      logger.error(about, 'the rollout goes back')
    } else logger.info(about, 'the rollout goes on')
    if (step.kind === 'end') counted(step.state)
  }
}
