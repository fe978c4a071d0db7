/** How one machine of a cell went. Times in milliseconds since the epoch. */
export interface PastLaunch {
  readonly launchedAt: number
  readonly firstReadyAt: number | undefined
  readonly endedAt: number | undefined
  /** It was taken away on purpose. */
  readonly planned: boolean
}

/** Milliseconds. A machine that ended sooner after its launch did not do what it was launched for. */
const youngMs = 10 * 60_000
/** Milliseconds that a machine has to be ready for before it proves that machines of this cell can be. */
const provenMs = 60_000
/** Machines die, one or two at once too: these are replaced at once. */
const freeDeaths = 2
const firstWaitMs = 10_000
const longestWaitMs = 30 * 60_000
/** Milliseconds. A call that fails has made no machine: it may come again sooner. */
const longestCallWaitMs = 60_000

/**
 * How many machines of a cell in a row, the newest first, died soon after their launch. One that lives and has been
 * ready for a minute ends the row, as does one that died old; those that nobody knows about yet, and those that were
 * taken away on purpose, say nothing.
 */
export function deathsInARow(newestFirst: readonly PastLaunch[], now: number): number {
  let deaths = 0
  for (const { launchedAt, firstReadyAt, endedAt, planned } of newestFirst) {
    if (endedAt === undefined) {
      if (firstReadyAt !== undefined && now - firstReadyAt >= provenMs) return deaths
    } else if (!planned) {
      if (firstReadyAt !== undefined && endedAt - launchedAt >= youngMs) return deaths
      deaths += 1
    }
  }
  return deaths
}

/**
 * Until when a cell launches no further machine, so that an image that cannot start does not burn machines by the hour:
 * ten seconds after the third death in a row, twice as long after each further one, half an hour at most.
 * @returns a time in milliseconds; undefined when nothing has to be waited for.
 */
export function launchPauseEnd(newestFirst: readonly PastLaunch[], now: number): number | undefined {
  const deaths = deathsInARow(newestFirst, now)
  if (deaths <= freeDeaths) return undefined
  const lastDeath = Math.max(...newestFirst.map(({ endedAt, planned }) => (planned ? 0 : (endedAt ?? 0))))
  const end = lastDeath + waitMs(deaths - freeDeaths, longestWaitMs)
  return end > now ? end : undefined
}

/** The same after calls to launch one machine that failed in a row, a minute at most. */
export function callPauseEnd(failures: number, lastFailedAt: number, now: number): number | undefined {
  if (failures <= freeDeaths) return undefined
  const end = lastFailedAt + waitMs(failures - freeDeaths, longestCallWaitMs)
  return end > now ? end : undefined
}

function waitMs(nth: number, longestMs: number): number {
  return Math.min(longestMs, firstWaitMs * 2 ** Math.min(nth - 1, 20))
}
