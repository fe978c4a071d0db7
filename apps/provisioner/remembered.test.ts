import { expect, test } from 'vitest'
import { remembered } from './remembered.ts'

test('asks once, also when several want to know at once', async () => {
  let asked = 0
  const answer = remembered(async () => {
    asked += 1
    return asked
  })
  expect(await Promise.all([answer(), answer()])).toEqual([1, 1])
  expect(await answer()).toBe(1)
})

test('a failure is told to those who wait, and not kept', async () => {
  let asked = 0
  const answer = remembered(async () => {
    asked += 1
    if (asked === 1) throw new Error('the database is away')
    return asked
  })
  await expect(answer()).rejects.toThrow('the database is away')
  expect(await answer()).toBe(2)
})
