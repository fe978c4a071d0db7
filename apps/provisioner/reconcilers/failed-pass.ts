import { coerceError } from '#libs/base'
import { StaleWriterError } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { again, type Next } from './next.ts'
import { retryDelayMs } from './retry-delay.ts'

export interface FailedPass {
  readonly logger: Logger
  /** Ids for the log. */
  readonly about: Readonly<Record<string, string>>
  /** Passes in a row that failed before this one. */
  readonly failures: number
  readonly thrown: unknown
}

/**
 * Says what is wrong where the caller and the operator see it, and comes again, later each time.
 * @param record writes the reason, how many passes in a row have failed now, and for how long to leave it alone.
 * @throws StaleWriterError when that is what ended the pass: nothing failed, and nothing may be written.
 */
export async function failedPass(
  { logger, about, failures: before, thrown }: FailedPass,
  record: (reason: string, failures: number, restMs: number) => Promise<void>,
): Promise<Next> {
  if (thrown instanceof StaleWriterError) throw thrown
  const error = coerceError(thrown)
  const failures = before + 1
  logger.warn({ ...about, failures, err: error }, 'pass failed')
  const restMs = retryDelayMs(failures)
  await record(error.message, failures, restMs)
  return again(restMs)
}
