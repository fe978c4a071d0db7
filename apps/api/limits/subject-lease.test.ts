import { describe, expect, test } from 'vitest'
import { SubjectLease } from './subject-lease.ts'

const taken = (lease: SubjectLease, now: number, attempts = 1000) =>
  Array.from({ length: attempts }, () => lease.take(now)).filter(Boolean).length

describe('a lease of calls', () => {
  test('is asked for first, used up, and then asked for again', () => {
    const lease = new SubjectLease('usr-1', 40)
    expect(lease.isDry(0)).toBe(true)
    lease.deposit({ granted: 3, perSecond: 40, backlogMs: 75 }, 0)
    expect([lease.isDry(1), lease.remaining(1)]).toEqual([false, 40])
    expect(taken(lease, 1)).toBe(3)
    expect([lease.isDry(1), lease.isExhausted(1)]).toEqual([true, false])
  })

  test('brings the limit along', () => {
    const lease = new SubjectLease('usr-1', 40)
    lease.deposit({ granted: 32, perSecond: 500, backlogMs: 64 }, 0)
    expect(lease.perSecond).toBe(500)
  })

  test('is not hoarded: what was not used in two seconds is forgotten', () => {
    const lease = new SubjectLease('usr-1', 40)
    lease.deposit({ granted: 3, perSecond: 40, backlogMs: 75 }, 0)
    expect(taken(lease, 2000)).toBe(0)
    expect(lease.isDry(2000)).toBe(true)
  })

  test('out of a full bucket blocks, until a whole lease has leaked away', () => {
    const lease = new SubjectLease('usr-1', 40)
    lease.deposit({ granted: 0, perSecond: 40, backlogMs: 1000 }, 0)
    expect([lease.isExhausted(0), lease.retryAfterMs(0), lease.remaining(0)]).toEqual([true, 75, 0])
    expect([lease.isExhausted(74), lease.isDry(75)]).toEqual([true, true])
  })

  test('that took the last call but leaves room for one does not block', () => {
    const lease = new SubjectLease('usr-1', 40)
    lease.deposit({ granted: 3, perSecond: 40, backlogMs: 975 }, 0)
    expect(taken(lease, 0)).toBe(3)
    expect([lease.isExhausted(0), lease.isDry(0), lease.remaining(0)]).toEqual([false, true, 1])
  })

  test('gives back what was taken in vain', () => {
    const lease = new SubjectLease('usr-1', 1)
    lease.deposit({ granted: 1, perSecond: 1, backlogMs: 1000 }, 0)
    expect(lease.take(0)).toBe(true)
    lease.giveBack()
    expect(lease.take(0)).toBe(true)
    expect(lease.take(0)).toBe(false)
  })

  test.each([1, 40, 160, 1000])(
    'by its own count lets %d a second through, and one second’s calls at once',
    (perSecond) => {
      const lease = new SubjectLease('usr-1', perSecond)
      let admitted = 0
      for (let now = 0; now < 10_000; now += 1) {
        for (let attempt = 0; attempt < 100; attempt += 1) {
          if (lease.isDry(now)) lease.fillLocally(now)
          if (!lease.take(now)) break
          admitted += 1
        }
      }
      expect(admitted).toBeGreaterThanOrEqual(perSecond * 10)
      expect(admitted).toBeLessThanOrEqual(perSecond * 11)
    },
  )
})
