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

interface StateRules {
  readonly next: readonly NamespaceState[]
  /** The edge lets callers in. While activating, too: the operation ends only after a call through the edge. */
  readonly served: boolean
  /** Callers find it by its id and in lists. */
  readonly visible: boolean
}

/** The whole state machine. `updating` may begin anew: each update is a generation of its own. */
const rules: Readonly<Record<NamespaceState, StateRules>> = {
  activating: { next: ['active', 'activation_failed', 'deleting'], served: true, visible: true },
  activation_failed: { next: ['activating', 'deleting'], served: false, visible: true },
  active: { next: ['updating', 'deleting'], served: true, visible: true },
  updating: { next: ['updating', 'active', 'update_failed', 'deleting'], served: true, visible: true },
  update_failed: { next: ['updating', 'deleting'], served: true, visible: true },
  deleting: { next: ['deleted', 'delete_failed'], served: false, visible: true },
  delete_failed: { next: ['deleting'], served: false, visible: true },
  deleted: { next: [], served: false, visible: false },
}

export function namespaceMayBecome(from: NamespaceState, to: NamespaceState): boolean {
  return rules[from].next.includes(to)
}

export function isServed(state: NamespaceState): boolean {
  return rules[state].served
}

export function isVisible(state: NamespaceState): boolean {
  return rules[state].visible
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
