/**
 * Lets each tenant have so many of something at once, and the others of the same tenant wait in the order in which they
 * came. Who floods waits for itself: nobody else stands in its line.
 */
export class TenantShare {
  readonly #each: number
  readonly #held = new Map<string, number>()
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor(each: number) {
    this.#each = each
  }

  async run<Result>(tenantId: string, work: () => Promise<Result>): Promise<Result> {
    await this.#enter(tenantId)
    try {
      return await work()
    } finally {
      this.#leave(tenantId)
    }
  }

  async #enter(tenantId: string): Promise<void> {
    const held = this.#held.get(tenantId) ?? 0
    if (held < this.#each) {
      this.#held.set(tenantId, held + 1)
      return
    }
    await new Promise<void>((resolve) => {
      const line = this.#waiting.get(tenantId)
      if (line === undefined) this.#waiting.set(tenantId, [resolve])
      else line.push(resolve)
    })
  }

  #leave(tenantId: string): void {
    const line = this.#waiting.get(tenantId)
    const next = line?.shift()
    if (line?.length === 0) this.#waiting.delete(tenantId)
    if (next !== undefined) {
      // The place is handed on: it is never free in between.
      next()
      return
    }
    const held = (this.#held.get(tenantId) ?? 1) - 1
    if (held === 0) this.#held.delete(tenantId)
    else this.#held.set(tenantId, held)
  }
}
