import { backoffMs } from '#libs/base'

/** Milliseconds until the next pass after so many failed ones: soon at first, and never much longer than a clock round. */
export function retryDelayMs(failures: number): number {
  return backoffMs(failures, { initialMs: 250, maxMs: 15_000 })
}
