import { AppError, coerceError } from '#libs/base'
import { isDatabaseUnavailable } from '#libs/store'

/** Runs what works on the database; when the database cannot be asked just now, callers are told to try again. */
export async function overDatabase<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    if (!isDatabaseUnavailable(thrown)) throw thrown
    const context = { database: coerceError(thrown).message }
    throw new AppError('unavailable', 'the database does not answer just now: try again', { cause: thrown, context })
  }
}
