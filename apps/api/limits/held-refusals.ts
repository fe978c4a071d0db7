import { setTimeout as delay } from 'node:timers/promises'
import type { SubjectLease } from './subject-lease.ts'

/** Milliseconds that a refusal is held back, on average. */
const holdMs = 1000
/** Refusals that are held at once in this process: each holds a call's place and a timer, and little else. */
const maxHeld = 2000

interface Refusals {
  readonly since: number
  count: number
}

/**
 * Slows down who goes on regardless. A refusal costs us about as much as the caller's next attempt, so that one who never
 * waits would keep a core busy with refusals alone, and everybody else behind them. Once a subject was refused as many
 * calls in one second as it may make, further refusals of that second are held back: a caller on few connections cannot
 * ask faster than they are answered. Whoever heeds `Retry-After` never meets this.
 */
export class HeldRefusals {
  readonly #bySubject = new WeakMap<SubjectLease, Refusals>()
  #held = 0

  async hold(lease: SubjectLease): Promise<void> {
    const now = performance.now()
    const known = this.#bySubject.get(lease)
    const refusals = known !== undefined && now - known.since < 1000 ? known : { since: now, count: 0 }
    refusals.count += 1
    this.#bySubject.set(lease, refusals)
    if (refusals.count <= lease.perSecond || this.#held >= maxHeld) return
    this.#held += 1
    try {
      // Never all of them to one moment: so many answers and next attempts at once would be what others wait for.
      await delay(holdMs * (0.5 + Math.random()))
    } finally {
      this.#held -= 1
    }
  }
}
