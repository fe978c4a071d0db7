/**
 * The life of a rollout. `halted` is an operator's doing: nothing is begun and nothing judged until it is resumed. What
 * fails by itself is `rolling_back` at once. The last three are ends; a `cancelled` one leaves each cell with what it has.
 */
export type RolloutState = 'canary' | 'rolling' | 'halted' | 'rolling_back' | 'done' | 'rolled_back' | 'cancelled'

export const rolloutStates: readonly RolloutState[] = [
  'canary',
  'rolling',
  'halted',
  'rolling_back',
  'done',
  'rolled_back',
  'cancelled',
]

/** What an operator may do with a rollout that is there. */
export type RolloutChange = 'pause' | 'resume' | 'cancel' | 'roll-back'

const open: Readonly<Record<RolloutState, boolean>> = {
  canary: true,
  rolling: true,
  halted: true,
  rolling_back: true,
  done: false,
  rolled_back: false,
  cancelled: false,
}

/** Whether it has not ended. */
export function isOpen(state: RolloutState): boolean {
  return open[state]
}

/**
 * Where a change leads. Asked for again, it leads to where the rollout is.
 * @param canaryDone whether the canary has soaked.
 * @returns undefined when it is not possible in this state.
 */
export function afterChange(state: RolloutState, change: RolloutChange, canaryDone: boolean): RolloutState | undefined {
  const goesForward = state === 'canary' || state === 'rolling'
  switch (change) {
    case 'pause':
      return goesForward || state === 'halted' ? 'halted' : undefined
    case 'resume':
      if (goesForward) return state
      return state === 'halted' ? (canaryDone ? 'rolling' : 'canary') : undefined
    case 'cancel':
      return isOpen(state) || state === 'cancelled' ? 'cancelled' : undefined
    case 'roll-back':
      if (state === 'rolled_back') return state
      return isOpen(state) ? 'rolling_back' : undefined
  }
}
