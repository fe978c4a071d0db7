/** Refusals of one node that are taken at once, and each second from then on. */
const burst = 5_000
const perSecond = 50

/**
 * How many refusals a node may still tell. A node folds what is equal, and a sound one stays far below; one that was taken
 * over fills no disk.
 */
export class RefusalAllowance {
  readonly #nodes = new Map<string, { readonly left: number; readonly at: number }>()

  /** @returns false when it has to wait. */
  take(nodeId: string, count: number, now: number): boolean {
    const known = this.#nodes.get(nodeId)
    const left = known === undefined ? burst : Math.min(burst, known.left + ((now - known.at) / 1000) * perSecond)
    if (left < count) return false
    this.#nodes.set(nodeId, { left: left - count, at: now })
    return true
  }
}
