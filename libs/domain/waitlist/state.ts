/** The life of an entry. An approved one has an invitation; a rejected one may still be approved. */
export type WaitlistState = 'waiting' | 'approved' | 'rejected'

const next: Readonly<Record<WaitlistState, readonly WaitlistState[]>> = {
  waiting: ['approved', 'rejected'],
  rejected: ['approved'],
  approved: [],
}

export function waitlistEntryMayBecome(from: WaitlistState, to: WaitlistState): boolean {
  return next[from].includes(to)
}
