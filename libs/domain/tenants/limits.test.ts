import { describe, expect, test } from 'vitest'
import { defaultPace, paceOf, validatePace } from './limits.ts'

describe('the pace of a tenant', () => {
  test('is as documented unless an operator says otherwise, limit by limit', () => {
    expect(paceOf({})).toEqual({
      requestsPerSecond: 160,
      userRequestsPerSecond: 40,
      serviceAccountRequestsPerSecond: 80,
      operationsInFlight: 10,
    })
    expect(paceOf({ operationsInFlight: 3 })).toEqual({ ...defaultPace, operationsInFlight: 3 })
  })

  test.each([0, -1, 1.5, Number.NaN, 1_000_001])('takes no %d', (value) => {
    expect(validatePace({ userRequestsPerSecond: value })).toMatchObject([{ field: 'userRequestsPerSecond' }])
  })

  test('takes what lies between', () => {
    expect(validatePace({ requestsPerSecond: 1, operationsInFlight: 1_000_000 })).toEqual([])
  })
})
