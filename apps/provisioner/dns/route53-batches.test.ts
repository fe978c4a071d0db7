import { expect, it } from 'vitest'
import type { RecordChange } from './route53-api.ts'
import { fitting } from './route53-batches.ts'

const change = (...values: string[]): RecordChange => ({
  action: 'CREATE',
  set: { name: 'a.example.com', type: 'A', ttl: 60, values },
})

it('takes as many groups as have 1,000 values together, and 32,000 characters', () => {
  expect(fitting([])).toBe(0)
  expect(fitting(Array.from({ length: 700 }, () => [change('x'), change('y')]))).toBe(500)
  expect(fitting(Array.from({ length: 100 }, () => [change('x'.repeat(1_000))]))).toBe(32)
})

it('sends a group that is too large alone, for Route 53 to say so', () => {
  expect(fitting([[change('x'.repeat(33_000))], [change('y')]])).toBe(1)
})
