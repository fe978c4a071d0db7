import { randomUUID } from 'node:crypto'
import { type Database, type LeasedTable, releaseLease, StaleWriterError, takeLease, withLease } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { again, type Next } from './next.ts'

/** Milliseconds until a pass that found the lease taken looks again. */
const takenMs = 250

export interface LeasedPassDeps {
  readonly database: Database
  readonly logger: Logger
}

/**
 * Runs one pass under the row's lease. A pass that finds the lease taken steps aside and comes again: the holder may
 * have looked before the change that woke this one.
 */
export async function leasedPass(
  { database, logger }: LeasedPassDeps,
  table: LeasedTable,
  id: string,
  pass: (holder: string) => Promise<Next>,
): Promise<Next> {
  const holder = randomUUID()
  const askedAt = performance.now()
  if (!(await takeLease(database.all, table, id, holder))) return again(takenMs)
  try {
    return await withLease(askedAt, () => pass(holder))
  } catch (thrown) {
    if (!(thrown instanceof StaleWriterError)) throw thrown
    logger.info({ noun: table, id, reason: thrown.message }, 'pass gave way')
    return again(takenMs)
  } finally {
    await releaseLease(database.all, table, id, holder)
  }
}
