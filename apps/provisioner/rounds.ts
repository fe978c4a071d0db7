import { setTimeout as sleep } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'

/** Work that is done by the clock, whatever else happens. */
export interface Round {
  readonly name: string
  readonly everyMs: number
  readonly work: () => Promise<unknown>
}

/**
 * Runs each round at its pace until the signal, each in a loop of its own: one that fails or hangs stops no other.
 * Replicas run the same rounds; what a round does is idempotent, and waking a noun twice is waking it once.
 */
export async function runRounds(rounds: readonly Round[], logger: Logger, signal: AbortSignal): Promise<void> {
  await Promise.all(rounds.map((round) => runRound(round, logger, signal)))
}

async function runRound({ name, everyMs, work }: Round, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await work()
    } catch (thrown) {
      logger.error({ round: name, err: coerceError(thrown) }, 'round failed')
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}
