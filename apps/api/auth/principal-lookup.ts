import type { Database } from '#libs/store'
import { findPrincipals, type Principal } from '#libs/store/principals'

interface Batch {
  readonly keyIds: Set<string>
  readonly answer: Promise<ReadonlyMap<string, Principal>>
}

/**
 * Looks principals up at every call, so that a change of role, or a revoked key, acts at once; and does so in few
 * statements. For each tenant one statement is under way; who comes meanwhile shares the *next* one, never the running
 * one, which may have read the rows already.
 */
export class PrincipalLookup {
  readonly #database: Database
  /** By tenant: the batch that still takes callers. */
  readonly #open = new Map<string, Batch>()
  /** By tenant: the batch that was opened last, whether it still takes callers or not. */
  readonly #latest = new Map<string, Batch>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Undefined for a key that is revoked, disabled, expired or unknown. */
  async find(tenantId: string, keyId: string): Promise<Principal | undefined> {
    const batch = this.#open.get(tenantId) ?? this.#begin(tenantId)
    batch.keyIds.add(keyId)
    return (await batch.answer).get(keyId)
  }

  #begin(tenantId: string): Batch {
    const before = this.#latest.get(tenantId)
    const keyIds = new Set<string>()
    const batch = { keyIds, answer: this.#run(tenantId, keyIds, before) }
    this.#open.set(tenantId, batch)
    this.#latest.set(tenantId, batch)
    const forget = () => {
      if (this.#latest.get(tenantId) === batch) this.#latest.delete(tenantId)
    }
    batch.answer.then(forget, forget)
    return batch
  }

  async #run(tenantId: string, keyIds: ReadonlySet<string>, before: Batch | undefined) {
    // How the one before ended is for its own callers. The wait, if only for a turn, lets `#begin` note the batch first.
    await before?.answer.catch(() => undefined)
    this.#open.delete(tenantId)
    return this.#database.ofTenant(tenantId, (executor) => findPrincipals(executor, tenantId, [...keyIds]))
  }
}
