import { expect, it } from 'vitest'
import { databaseSchema, fits, wantedSchema } from './database-schema.ts'

it('goes forward, and never back', () => {
  const [older, newer] = ['1.32.2', '1.33.0'].map(databaseSchema)
  expect(wantedSchema(undefined, '1.32.2')).toBe(older)
  expect(wantedSchema(older, '1.33.0')).toBe(newer)
  expect(wantedSchema(newer, '1.32.2')).toBe(newer)
  expect([fits(older, '1.33.0'), fits(newer, '1.32.2'), fits(undefined, '1.32.2')]).toEqual([false, true, false])
})

it('is another one for another build, and for other columns of ours', () => {
  expect(fits(databaseSchema('1.32.2'), '1.32.2+ours')).toBe(false)
  expect(fits('1.33.0 with fewer columns', '1.32.2')).toBe(false)
})
