import { expect, test } from 'vitest'
import { readMasterKey } from './master-key.ts'

const key = Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index))

test('reads hex, base64 and base64url alike', () => {
  const spellings = [
    key.toString('hex'),
    key.toString('hex').toUpperCase(),
    key.toString('base64'),
    key.toString('base64url'),
    `  ${key.toString('base64')}\n`,
  ]
  for (const text of spellings) expect(readMasterKey(text)).toEqual(key)
})

test('refuses every other length and alphabet, without repeating the secret', () => {
  const wrong = [
    '',
    'change-me-please',
    key.subarray(1).toString('base64'),
    `${key.toString('hex')}00`,
    `${key.toString('base64').slice(0, 20)}!${key.toString('base64').slice(21)}`,
  ]
  for (const text of wrong) expect(() => readMasterKey(text)).toThrow(/^must be 32 bytes as base64/)
  expect(() => readMasterKey('change-me-please')).not.toThrow(/change-me/)
})
