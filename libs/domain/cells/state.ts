/** The life of a cell row. `deleted` is a tombstone. A failed cell is tried again for as long as it is wanted. */
export type CellState = 'creating' | 'ready' | 'failed' | 'deleting' | 'deleted'

const placements: Readonly<Record<CellState, 'now' | 'later' | 'never'>> = {
  creating: 'later',
  ready: 'now',
  // Not 'never': while the first cell of a region fails, every new namespace would ask for one more.
  failed: 'later',
  deleting: 'never',
  deleted: 'never',
}

/** What a new namespace may do with a cell: go there now, wait for it, or look elsewhere. */
export function placementOf(state: CellState): 'now' | 'later' | 'never' {
  return placements[state]
}

/** The life of a node row. A failed one is replaced, never mended; a draining one gets no new work, and ends soon. */
export type NodeState = 'creating' | 'ready' | 'failed' | 'draining' | 'deleting' | 'deleted'
