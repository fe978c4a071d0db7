import type { Action, Resource } from './policy.ts'
import type { Target } from './target.ts'

/** Who a proof was made for: for the audit log, for an operation's requester, and for who owns what is created. */
export interface Actor {
  readonly kind: 'user' | 'service_account' | 'operator' | 'system' | 'anonymous'
  /** Principal id, the operator's name, or the system's part; empty for anonymous. */
  readonly id: string
}

/**
 * Which rows of the target a proof reaches. The store puts it into every WHERE; a row beyond it is not found.
 *
 * - `all`: whatever the target names
 * - `not_account_owners`: no principal that holds the account role `owner`
 * - `only`: rows that `ownerId` owns (an API key's owner, an operation's requester), and rows of `namespaceIds` (the
 *   namespace itself, a service account scoped to it, a key of such an account, an operation on it)
 */
export type Limit =
  | { readonly kind: 'all' }
  | { readonly kind: 'not_account_owners' }
  | { readonly kind: 'only'; readonly ownerId?: string; readonly namespaceIds: ReadonlySet<string> }

/**
 * Proof that somebody may do one action to one target. Store functions take it instead of ids. Only this library makes
 * it: the private field keeps look-alikes out of the type, and the constructor is not exported from the library.
 */
export class Authorized<R extends Resource, A extends Action<R>> {
  readonly #proven = true
  readonly resource: R
  readonly action: A
  readonly target: Target<R, A>
  readonly limit: Limit
  readonly actor: Actor

  constructor(resource: R, action: A, target: Target<R, A>, limit: Limit, actor: Actor) {
    this.resource = resource
    this.action = action
    this.target = Object.freeze({ ...target }) as Target<R, A>
    this.limit = limit
    this.actor = actor
    Object.freeze(this)
  }

  /** For code that gets a proof over an untyped path. */
  static isProof(value: unknown): boolean {
    return typeof value === 'object' && value !== null && #proven in value && value.#proven
  }
}
