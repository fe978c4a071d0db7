import { AppError } from '#libs/base'

/** The proof reaches all but account owners, and this is one. Whoever gets here may read it, so it is no "not found". */
export function ownersOnly(noun: string): AppError {
  return new AppError('forbidden', `the ${noun} has the account role owner, and only account owners may change that`)
}
