import { describe, expect, it } from 'vitest'
import { validateWaitlistEntry, waitlistEntryMayBecome } from '#libs/domain/waitlist'

describe('the waitlist', () => {
  const entry = { email: 'ada@example.com', company: 'Analytical Engines', useCase: 'Long runs.\nMany of them.' }

  it('names each field that is wrong', () => {
    expect(validateWaitlistEntry(entry)).toEqual([])
    expect(
      validateWaitlistEntry({ email: 'x', company: '', useCase: 'a'.repeat(2001) }).map(({ field }) => field),
    ).toEqual(['email', 'company', 'useCase'])
  })

  it('approves once, and may change its mind about a rejection', () => {
    expect(waitlistEntryMayBecome('waiting', 'approved')).toBe(true)
    expect(waitlistEntryMayBecome('rejected', 'approved')).toBe(true)
    expect(waitlistEntryMayBecome('approved', 'approved')).toBe(false)
    expect(waitlistEntryMayBecome('approved', 'rejected')).toBe(false)
  })
})
