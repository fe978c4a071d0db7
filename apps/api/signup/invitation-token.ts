import { randomBytes } from 'node:crypto'

/** How long an invitation can be accepted, in days. */
const invitationDays = 7

/** The secret of a one-time link: 256 random bits. The prefix lets scanners for leaked secrets know it. */
export function newInvitationToken(): string {
  return `aqinv_${randomBytes(32).toString('base64url')}`
}

export function invitationExpiry(now: Date): Date {
  return new Date(now.getTime() + invitationDays * 24 * 60 * 60 * 1000)
}
