import type { Problem } from '#libs/base'
import { emailMistake, lineMistake, paragraphMistake } from '#libs/domain/users'

/** Who wants to become a tenant. Anybody can write one: every length is bounded. */
export interface WaitlistEntrySpec {
  readonly email: string
  readonly company: string
  readonly useCase: string
}

export function validateWaitlistEntry(entry: WaitlistEntrySpec): Problem[] {
  const checks = [
    ['email', emailMistake(entry.email)],
    ['company', lineMistake(entry.company, 1, 128)],
    ['useCase', paragraphMistake(entry.useCase, 1, 2000)],
  ] as const
  return checks.flatMap(([field, message]) => (message === undefined ? [] : [{ field, message }]))
}
