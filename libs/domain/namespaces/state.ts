/** The life of a namespace row. `deleted` is a tombstone that stays for ever: an id is never given twice. */
export type NamespaceState =
  | 'activating'
  | 'activation_failed'
  | 'active'
  | 'updating'
  | 'update_failed'
  | 'deleting'
  | 'delete_failed'
  | 'deleted'

/** The whole state machine. `activating` and `updating` may begin anew: each update is a generation of its own. */
const next: Readonly<Record<NamespaceState, readonly NamespaceState[]>> = {
  activating: ['activating', 'active', 'activation_failed', 'deleting'],
  activation_failed: ['activating', 'deleting'],
  active: ['updating', 'deleting'],
  updating: ['updating', 'active', 'update_failed', 'deleting'],
  update_failed: ['updating', 'deleting'],
  deleting: ['deleted', 'delete_failed'],
  delete_failed: ['deleting'],
  deleted: [],
}

const all = Object.keys(next) as readonly NamespaceState[]

/** The states that one of these may follow: what a change of intent has to find the row in. */
export function statesBefore(...states: readonly NamespaceState[]): readonly NamespaceState[] {
  return all.filter((from) => states.some((to) => next[from].includes(to)))
}

/** Whether a reconciler has something to do. */
export function isUnderWay(state: NamespaceState): boolean {
  return settledState(state) !== state
}

/** What a failure makes of the state; states in which nothing is under way stay. */
export function failedState(state: NamespaceState): NamespaceState {
  switch (state) {
    case 'activating':
      return 'activation_failed'
    case 'updating':
      return 'update_failed'
    case 'deleting':
      return 'delete_failed'
    default:
      return state
  }
}

/** What success makes of it. */
export function settledState(state: NamespaceState): NamespaceState {
  switch (state) {
    case 'activating':
    case 'updating':
      return 'active'
    case 'deleting':
      return 'deleted'
    default:
      return state
  }
}

/** All for which `isUnderWay` holds. */
export const statesUnderWay: readonly NamespaceState[] = all.filter(isUnderWay)
