import { setTimeout as sleep } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import type { Timings } from './timings.ts'
import type { Turns } from './turns.ts'

/** Work that is done by the clock, whatever else happens. */
export interface Round {
  readonly name: string
  readonly everyMs: number
  /** It goes over the whole fleet: one replica at a time does it, and all of them together keep its pace. */
  readonly shared?: boolean
  /** @param signal that it is no longer ours to do: the replica stops, or another one has begun it anew. */
  readonly work: (signal: AbortSignal) => Promise<unknown>
}

export interface RoundsDeps {
  readonly turns: Turns
  readonly timings: Timings
  readonly logger: Logger
}

/** Milliseconds at most until a replica looks whether a shared round is due. */
const longestLookMs = 5_000

/**
 * Runs each round at its pace until the signal, each in a loop of its own: one that fails or hangs stops no other.
 * Every replica does what is cheap; what a round does is idempotent, and waking a noun twice is waking it once.
 */
export async function runRounds(rounds: readonly Round[], deps: RoundsDeps, signal: AbortSignal): Promise<void> {
  await Promise.all(rounds.map((round) => runRound(round, deps, signal)))
}

async function runRound(round: Round, deps: RoundsDeps, signal: AbortSignal): Promise<void> {
  const everyMs = round.shared === true ? Math.min(longestLookMs, round.everyMs / 4) : round.everyMs
  while (!signal.aborted) {
    try {
      if (round.shared === true) {
        await deps.turns.take(round.name, round.everyMs, signal, (lost) => measured(round, deps, lost))
      } else {
        await measured(round, deps, signal)
      }
    } catch (thrown) {
      if (!signal.aborted) deps.logger.error({ round: round.name, err: coerceError(thrown) }, 'round failed')
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

async function measured({ name, work }: Round, { timings }: RoundsDeps, signal: AbortSignal): Promise<void> {
  const began = performance.now()
  let outcome: 'ok' | 'failed' = 'failed'
  try {
    await work(signal)
    outcome = 'ok'
  } finally {
    timings(name, (performance.now() - began) / 1000, outcome)
  }
}
