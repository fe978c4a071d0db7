import { describe, expect, test } from 'vitest'
import { withoutContent } from './envoy-admin.ts'

describe('what Envoy says of a refusal', () => {
  test.each([
    ['Failed to load certificate chain from <inline>', 'Failed to load certificate chain from <inline>'],
    [
      'Proto constraint validation failed (X.name: too short): name: "edge"\nkey: "secret"',
      'Proto constraint validation failed (X.name: too short): name:',
    ],
    ['wrong: filter_chains { inline_string: secret }', 'wrong: filter_chains'],
    ['wrong key -----BEGIN PRIVATE KEY-----secret', 'wrong key'],
    ['wrong token eyJhbGciOi.secret', 'wrong token'],
    ['one line\nsecret', 'one line'],
    ['', ''],
  ])('%j', (details, told) => {
    expect(withoutContent(details)).toBe(told)
  })

  test('is cut', () => {
    expect(withoutContent('x'.repeat(1000))).toHaveLength(300)
  })
})
