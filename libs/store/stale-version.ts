import { AppError } from '#libs/base'

/** The caller's compare-and-set token is not the row's: somebody else was faster. FAILED_PRECONDITION, since clients retry ABORTED blindly. */
export function staleVersion(noun: string, given: string, latest: number): AppError {
  return new AppError(
    'precondition',
    `resource_version ${JSON.stringify(given)} is not the latest (${latest}): get the ${noun} again and repeat the change on what you find`,
  )
}
