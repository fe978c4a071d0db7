import { expect, it } from 'vitest'
import { compareVersions, coreVersion } from '#libs/base'

it.each([
  ['1.32.2', '1.32.10', -1],
  ['1.33.0', '1.32.10', 1],
  ['2.0.0', '1.99.99', 1],
  ['1.32.2', '1.32.2', 0],
  ['1.32.2+ours', '1.32.2', 0],
  ['1.32.3+ours', '1.32.2+theirs', 1],
])('orders %s and %s', (one, other, sign) => {
  expect(Math.sign(compareVersions(one, other))).toBe(sign)
  expect(Math.sign(compareVersions(other, one))).toBe(sign === 0 ? 0 : -sign)
})

it('takes the build away', () => {
  expect(['1.32.2', '1.32.2+ours', '1.32.2+a+b'].map(coreVersion)).toEqual(['1.32.2', '1.32.2', '1.32.2'])
})
