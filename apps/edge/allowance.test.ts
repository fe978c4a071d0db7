import { expect, it } from 'vitest'
import { Allowance } from './allowance.ts'

it('lets one take a burst, then so much a second, and never more than the burst', () => {
  const allowance = new Allowance({ burst: 3, perSecond: 2 })
  expect([1, 1, 1, 1].map((count) => allowance.take('a', count, 0))).toEqual([true, true, true, false])
  expect(allowance.take('a', 1, 499)).toBe(false)
  expect(allowance.take('a', 1, 500)).toBe(true)
  expect(allowance.take('a', 4, 1_000_000)).toBe(false)
  expect(allowance.take('a', 3, 1_000_000)).toBe(true)
})

it('lets nobody pay for another', () => {
  const allowance = new Allowance({ burst: 1, perSecond: 0.001 })
  for (let other = 0; other < 20_000; other += 1) allowance.take(`x${other}`, 1, 0)
  expect(allowance.take('a', 1, 0)).toBe(true)
  // Who came too often is not forgotten among the many.
  expect(allowance.take('x7', 1, 1)).toBe(false)
})
