import { randomUUID } from 'node:crypto'
import type { Database } from '#libs/store'
import { beginSweep, endSweep, keepSweep } from '#libs/store/sweeps'

/**
 * Milliseconds for which a turn is held without a sign of life: so long the fleet goes without a sweep when a replica dies
 * in the middle of one.
 */
const holdMs = 20_000

/**
 * Lets one replica at a time do what goes over the whole fleet. A turn is no lock: a replica that was stopped in the middle
 * goes on when it wakes, beside the one that took over. What is done in turns must bear that.
 */
export class Turns {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /**
   * Does the work if it is due and nobody is at it. It is due again `everyMs` after it began.
   * @param work gets the signal that the turn was lost, or that `signal` was given.
   * @returns whether it was our turn.
   */
  async take(
    kind: string,
    everyMs: number,
    signal: AbortSignal,
    work: (lost: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    const { all } = this.#database
    const holder = randomUUID()
    if (!(await beginSweep(all, kind, holder, holdMs))) return false
    const lost = new AbortController()
    const keep = async () => {
      if (!(await keepSweep(all, kind, holder, holdMs))) lost.abort(new Error(`another replica took over: ${kind}`))
    }
    // A database that is away for a moment takes no turn from us; who else could have got it?
    const timer = setInterval(() => void keep().catch(() => undefined), holdMs / 4)
    const ended = AbortSignal.any([signal, lost.signal])
    try {
      await work(ended)
      return true
    } finally {
      clearInterval(timer)
      // What was broken off is due at once, for whoever comes next.
      await endSweep(all, kind, holder, ended.aborted ? 0 : everyMs)
    }
  }
}
