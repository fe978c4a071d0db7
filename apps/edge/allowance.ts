interface AllowanceOptions {
  /** Taken at once by one who took nothing for long. */
  readonly burst: number
  /** Given back each second. */
  readonly perSecond: number
}

/** Above this, whoever has everything to take again is forgotten: it is the same as never having come. */
const maxKnown = 10_000
/** Looking through all of them must not become the cost of every call. */
const pruneMs = 1_000

/** How much each of many may still take: one that takes too much has to wait, and no other notices. */
export class Allowance {
  readonly #options: AllowanceOptions
  readonly #known = new Map<string, { readonly left: number; readonly at: number }>()

  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(options: AllowanceOptions) {
    this.#options = options
  }

  /**
   * @param now milliseconds, by a clock that never goes back
   * @returns false when it has to wait.
   */
  take(key: string, count: number, now: number): boolean {
    const left = this.#left(key, now)
    if (left < count) return false
    if (this.#known.size >= maxKnown && now - this.#prunedAt >= pruneMs) this.#prune(now)
    this.#known.set(key, { left: left - count, at: now })
    return true
  }

  #left(key: string, now: number): number {
    const { burst, perSecond } = this.#options
    const known = this.#known.get(key)
    return known === undefined ? burst : Math.min(burst, known.left + ((now - known.at) / 1000) * perSecond)
  }

  #prune(now: number): void {
    this.#prunedAt = now
    for (const key of this.#known.keys()) {
      if (this.#left(key, now) >= this.#options.burst) this.#known.delete(key)
    }
  }
}
