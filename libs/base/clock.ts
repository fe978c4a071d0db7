/** Where code that decides by time gets it from, so that tests can decide instead. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }
