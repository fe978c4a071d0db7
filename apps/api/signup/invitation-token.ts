import { randomBytes } from 'node:crypto'

/** How long an invitation can be accepted, in days. */
const invitationDays = 7
const userPrefix = 'aqjoin_'

/** The secret of a one-time link: 256 random bits. The prefix lets scanners for leaked secrets know it. */
export function newInvitationToken(): string {
  return `aqinv_${randomBytes(32).toString('base64url')}`
}

/** The same for a user of an account that is there already. */
export function newUserInvitationToken(): string {
  return `${userPrefix}${randomBytes(32).toString('base64url')}`
}

export function isUserInvitationToken(token: string): boolean {
  return token.startsWith(userPrefix)
}

export function invitationExpiry(now: Date): Date {
  return new Date(now.getTime() + invitationDays * 24 * 60 * 60 * 1000)
}
