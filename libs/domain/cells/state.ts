/** The life of a cell row. `deleted` is a tombstone. A failed cell is tried again for as long as it is wanted. */
export type CellState = 'creating' | 'ready' | 'failed' | 'deleting' | 'deleted'

interface StateRules {
  readonly next: readonly CellState[]
  /** What a new namespace may do with it: go there now, wait for it, or look elsewhere. */
  readonly placement: 'now' | 'later' | 'never'
}

const rules: Readonly<Record<CellState, StateRules>> = {
  creating: { next: ['ready', 'failed', 'deleting'], placement: 'later' },
  ready: { next: ['failed', 'deleting'], placement: 'now' },
  // Not 'never': while the first cell of a region fails, every new namespace would ask for one more.
  failed: { next: ['creating', 'ready', 'deleting'], placement: 'later' },
  deleting: { next: ['deleted'], placement: 'never' },
  deleted: { next: [], placement: 'never' },
}

export function cellMayBecome(from: CellState, to: CellState): boolean {
  return rules[from].next.includes(to)
}

export function placementOf(state: CellState): 'now' | 'later' | 'never' {
  return rules[state].placement
}

/** The life of a node row. A failed one is replaced, never mended. */
export type NodeState = 'creating' | 'ready' | 'failed' | 'deleting' | 'deleted'

const nextOfNode: Readonly<Record<NodeState, readonly NodeState[]>> = {
  creating: ['ready', 'failed', 'deleting'],
  ready: ['creating', 'failed', 'deleting'],
  failed: ['creating', 'ready', 'deleting'],
  deleting: ['deleted'],
  deleted: [],
}

export function nodeMayBecome(from: NodeState, to: NodeState): boolean {
  return nextOfNode[from].includes(to)
}
