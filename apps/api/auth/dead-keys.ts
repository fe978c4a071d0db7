/** Keys that are remembered; the one that was shown longest ago is forgotten first, and only counts once more. */
const maxKeys = 10_000

/**
 * Ids of API keys with a good signature that did not get in when they were last shown: revoked, disabled, or without an
 * owner. It decides nothing but who pays for the next call.
 */
export class DeadKeys {
  readonly #ids = new Set<string>()

  has(keyId: string): boolean {
    return this.#ids.has(keyId)
  }

  add(keyId: string): void {
    this.#ids.delete(keyId)
    this.#ids.add(keyId)
    if (this.#ids.size <= maxKeys) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }

  /** It is good again. */
  delete(keyId: string): void {
    this.#ids.delete(keyId)
  }
}
