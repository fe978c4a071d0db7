import { expect, test } from 'vitest'
import { sealer } from '#libs/sealing'
import { type PageScope, pageOf, pageTokens } from './page-tokens.ts'

const tokens = pageTokens(sealer(Buffer.alloc(32, 1)))
const scope: PageScope = { tenantId: 'aaaaa', rpc: 'GetNamespaces', filter: { name: 'x', owner: 'y' } }

test('a token leads on from where its page ended, in whatever order the filter is written', () => {
  const pageToken = tokens.write(scope, 'last')
  expect(pageToken).not.toContain('last')
  expect(tokens.read({ ...scope, filter: { owner: 'y', name: 'x' } }, { pageToken, pageSize: 7 })).toEqual({
    after: 'last',
    size: 7,
  })
})

test.each<[string, Partial<PageScope>]>([
  ['tenant', { tenantId: 'bbbbb' }],
  ['method', { rpc: 'GetApiKeys' }],
  ['filter', { filter: { name: 'x' } }],
])('is of no use with another %s', (_what, other) => {
  const pageToken = tokens.write(scope, 'last')
  expect(() => tokens.read({ ...scope, ...other }, { pageToken })).toThrow(/^page_token: /)
})

test.each([
  [0, 100],
  [1, 1],
  [1000, 1000],
])('size %i is %i', (pageSize, size) => {
  expect(tokens.read(scope, { pageSize })).toEqual({ size, after: undefined })
})

test.each([-1, 1001])('size %i is refused', (pageSize) => {
  expect(() => tokens.read(scope, { pageSize })).toThrow(/^page_size: /)
})

test('a full page is the last one unless there is one item more', () => {
  const page = { size: 2, after: undefined }
  expect(pageOf(page, ['a', 'b'], (item) => item)).toEqual({ items: ['a', 'b'], next: undefined })
  expect(pageOf(page, ['a', 'b', 'c'], (item) => item)).toEqual({ items: ['a', 'b'], next: 'b' })
})
