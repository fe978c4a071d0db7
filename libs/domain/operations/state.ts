/**
 * The life of what a caller polls. The contract's REJECTED is not among these: clients poll it for ever, so a refusal
 * is either an error of the call or `failed` with its reason.
 */
export type OperationState = 'pending' | 'in_progress' | 'fulfilled' | 'failed' | 'cancelled'

const next: Readonly<Record<OperationState, readonly OperationState[]>> = {
  pending: ['in_progress', 'fulfilled', 'failed', 'cancelled'],
  in_progress: ['fulfilled', 'failed', 'cancelled'],
  fulfilled: [],
  failed: [],
  cancelled: [],
}

export function operationMayBecome(from: OperationState, to: OperationState): boolean {
  return next[from].includes(to)
}

/** Those that have not ended: what reconcilers carry on and the deadline looks at. */
export const openStates: readonly OperationState[] = ['pending', 'in_progress']

export function isTerminal(state: OperationState): boolean {
  return next[state].length === 0
}
