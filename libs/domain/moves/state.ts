/**
 * The life of a move. Before `handing_over` it can be undone, and nothing has changed for the tenant; after it there is only
 * forwards.
 */
export type MoveState =
  | 'connecting'
  | 'replicating'
  | 'handing_over'
  | 'switching'
  | 'leaving'
  | 'aborting'
  | 'done'
  | 'aborted'

/** Until the hand-over begins, the source has everything, and the target can be thrown away. */
export function isAbortable(state: MoveState): boolean {
  return state === 'connecting' || state === 'replicating'
}
