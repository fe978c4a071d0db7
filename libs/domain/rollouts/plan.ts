import type { RolloutState } from './state.ts'

/** A rollout as it was asked for, and how far it is. Times in milliseconds. */
export interface Rollout {
  readonly state: RolloutState
  readonly canaryCellId: string
  /** Other cells that change at once. */
  readonly cellsAtOnce: number
  /** How long the canary has to work without a break before another cell changes. */
  readonly soakMs: number
  /** How long a cell may be without a step forward while its nodes are replaced. */
  readonly nodeMs: number
  /** How long a cell may not answer. */
  readonly unwellMs: number
}

/** How far one cell is. `waiting`: it has what it had before. */
export type CellProgress = 'waiting' | 'changing' | 'soaking' | 'done' | 'reverting' | 'reverted'

/** What was seen of a cell, held against the template that it is to have. Times in milliseconds since 1970. */
export interface CellLook {
  /**
   * `whole`: one ready node in each slot, of the right template, and no others. `failing`: this will not mend itself. `gone`: the
   * cell is deleted.
   */
  readonly nodes: 'whole' | 'under_way' | 'failing' | 'gone'
  /** When its nodes last came a step forward. */
  readonly progressAt: number
  /** Since when it has not answered; undefined while it does. */
  readonly unwellSince?: number
  /** For a person: what is not as it should be. */
  readonly detail: string
}

export interface RolloutCell {
  readonly cellId: string
  readonly progress: CellProgress
  /** When it came to that. */
  readonly since: number
  /** It worked before it was changed, so that it speaks against the change when it does not afterwards. */
  readonly judged: boolean
  /** How often it stopped to work while it soaked. */
  readonly breaks: number
  /** Whether it works right now, by its row; of cells that wait. */
  readonly ready: boolean
  readonly look: CellLook
}

/** A change of rows. What it takes in the world is the reconcilers of cells and nodes to do. */
export type RolloutStep =
  | { readonly kind: 'change-cell'; readonly cellId: string; readonly judged: boolean }
  | { readonly kind: 'soak-cell'; readonly cellId: string }
  /** It stopped to work while it soaked: it soaks anew from when it works again. */
  | { readonly kind: 'stop-soak'; readonly cellId: string }
  | { readonly kind: 'finish-cell'; readonly cellId: string }
  /** The canary has soaked: on to the others. */
  | { readonly kind: 'roll' }
  | { readonly kind: 'roll-back'; readonly reason: string }
  | { readonly kind: 'revert-cell'; readonly cellId: string }
  | { readonly kind: 'finish-revert'; readonly cellId: string }
  | { readonly kind: 'end'; readonly state: 'done' | 'rolled_back' }

/**
 * What is to be done about a rollout now; nothing, when it waits. The canary comes first and alone; after it has worked for the
 * soak time, the others. As soon as one cell that worked before speaks against the change, no further cell changes,
 * and all that have changed go back.
 */
export function planRollout(rollout: Rollout, cells: readonly RolloutCell[], now: number): readonly RolloutStep[] {
  switch (rollout.state) {
    case 'canary':
    case 'rolling': {
      const reason = reasonToRollBack(rollout, cells, now)
      if (reason !== undefined) return [{ kind: 'roll-back', reason }]
      return rollout.state === 'canary' ? planCanary(rollout, cells, now) : planOthers(rollout, cells, now)
    }
    case 'rolling_back':
      return planWayBack(cells)
    case 'halted':
    case 'done':
    case 'rolled_back':
    case 'cancelled':
      return []
  }
}

/** Whether it has what it is to have, and works. */
function works({ look }: RolloutCell): boolean {
  return look.nodes === 'whole' && look.unwellSince === undefined
}

/** A canary that stops to work so often while it soaks will never have soaked. */
const toleratedBreaks = 2

function reasonToRollBack(rollout: Rollout, cells: readonly RolloutCell[], now: number): string | undefined {
  const canary = cells.find((cell) => cell.cellId === rollout.canaryCellId)
  if (rollout.state === 'canary' && canary?.look.nodes === 'gone') return `the canary ${canary.cellId} was deleted`
  for (const cell of cells) {
    const { nodes, progressAt, unwellSince, detail } = cell.look
    const speaks = cell.judged && ['changing', 'soaking', 'done'].includes(cell.progress) && nodes !== 'gone'
    if (!speaks) continue
    if (nodes === 'failing') return `${cell.cellId}: ${detail}`
    if (cell.breaks > toleratedBreaks) return `${cell.cellId}: stopped to work ${cell.breaks} times while it soaked`
    if (nodes === 'under_way' && now - progressAt >= rollout.nodeMs) {
      return `${cell.cellId}: no step forward for ${seconds(now - progressAt)}: ${detail}`
    }
    if (unwellSince !== undefined && now - unwellSince >= rollout.unwellMs) {
      return `${cell.cellId}: does not work for ${seconds(now - unwellSince)}: ${detail}`
    }
  }
  return undefined
}

function planCanary(rollout: Rollout, cells: readonly RolloutCell[], now: number): readonly RolloutStep[] {
  const { canaryCellId: cellId, soakMs } = rollout
  const canary = cells.find((cell) => cell.cellId === cellId)
  if (canary === undefined) return [{ kind: 'roll-back', reason: `there is no canary ${cellId}` }]
  switch (canary.progress) {
    case 'waiting':
      return [{ kind: 'change-cell', cellId, judged: true }]
    case 'changing':
      return works(canary) ? [{ kind: 'soak-cell', cellId }] : []
    case 'soaking':
      if (!works(canary)) return [{ kind: 'stop-soak', cellId }]
      return now - canary.since >= soakMs ? [{ kind: 'finish-cell', cellId }, { kind: 'roll' }] : []
    case 'done':
      return [{ kind: 'roll' }]
    case 'reverting':
    case 'reverted':
      return []
  }
}

/**
 * Cells that work come first. One that did not says nothing about the change, and keeps its place among those that change at once
 * all the same: when a region does not answer for a moment, its cells do not all change in that moment.
 */
function planOthers(
  { cellsAtOnce, nodeMs }: Rollout,
  cells: readonly RolloutCell[],
  now: number,
): readonly RolloutStep[] {
  const present = cells.filter((cell) => cell.look.nodes !== 'gone')
  const changing = present.filter((cell) => cell.progress === 'changing')
  const isGivenUp = (cell: RolloutCell) => !cell.judged && (cell.look.nodes === 'failing' || now - cell.since >= nodeMs)
  const finished = changing.filter((cell) => works(cell) || isGivenUp(cell))
  const waiting = present
    .filter((cell) => cell.progress === 'waiting')
    .toSorted((a, b) => Number(b.ready) - Number(a.ready) || (a.cellId < b.cellId ? -1 : 1))
  if (changing.length + waiting.length === 0) return [{ kind: 'end', state: 'done' }]
  const room = cellsAtOnce - (changing.length - finished.length)
  return [
    ...finished.map(({ cellId }): RolloutStep => ({ kind: 'finish-cell', cellId })),
    ...waiting
      .slice(0, Math.max(0, room))
      .map(({ cellId, ready }): RolloutStep => ({ kind: 'change-cell', cellId, judged: ready })),
  ]
}

/** All at once: what they go back to is known to work, and each goes node by node. */
function planWayBack(cells: readonly RolloutCell[]): readonly RolloutStep[] {
  const present = cells.filter((cell) => cell.look.nodes !== 'gone')
  const changed = present.filter((cell) => ['changing', 'soaking', 'done'].includes(cell.progress))
  const reverting = present.filter((cell) => cell.progress === 'reverting')
  if (changed.length + reverting.length === 0) return [{ kind: 'end', state: 'rolled_back' }]
  return [
    ...changed.map(({ cellId }): RolloutStep => ({ kind: 'revert-cell', cellId })),
    ...reverting
      .filter((cell) => works(cell) || !cell.judged)
      .map(({ cellId }): RolloutStep => ({ kind: 'finish-revert', cellId })),
  ]
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
