import { expect, test } from 'vitest'
import type { AuditEntry } from '#libs/store/audit'
import { RefusalFolder } from './fold-refusals.ts'

const at = new Date('2026-01-01T00:00:00Z')
function refusal(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    tenantId: 'aaaaa',
    interface: 'cloud_rest',
    operation: 'GetNamespace',
    principal: { type: 'user', id: 'usr-1' },
    credential: { kind: 'api_key', id: 'key-1' },
    sourceAddress: '127.0.0.1',
    target: {},
    outcome: 'NOT_FOUND',
    requestId: 'first',
    occurredAt: at,
    ...more,
  }
}

test('the first is written at once, equal ones together when the window ends', () => {
  const folder = new RefusalFolder(1000)
  expect(folder.take(refusal(), 0)).toMatchObject({ requestId: 'first' })
  expect(folder.take(refusal({ requestId: 'second' }), 10)).toBeUndefined()
  expect(folder.take(refusal({ requestId: 'third' }), 20)).toBeUndefined()
  expect(folder.ended(999)).toEqual([])
  expect(folder.ended(1000)).toMatchObject([
    { requestId: 'third', repeats: 2, details: { firstAt: '2026-01-01T00:00:00.000Z' } },
  ])
  // The window goes on with whoever goes on.
  expect(folder.take(refusal(), 1001)).toBeUndefined()
  expect(folder.ended(2000)).toMatchObject([{ repeats: 1 }])
  expect(folder.ended(3000)).toEqual([])
  expect(folder.take(refusal(), 3001)).toBeDefined()
})

const differences: readonly Partial<AuditEntry>[] = [
  { tenantId: 'bbbbb' },
  { interface: 'cloud_grpc' },
  { operation: 'DeleteNamespace' },
  { principal: { type: 'user', id: 'usr-2' } },
  { credential: { kind: 'api_key', id: 'key-2' } },
  { sourceAddress: '127.0.0.2' },
  { outcome: 'PERMISSION_DENIED' },
]
test.each(differences)('is not equal with %o', (difference) => {
  const folder = new RefusalFolder(1000)
  folder.take(refusal(), 0)
  expect(folder.take(refusal(difference), 0)).toBeDefined()
})

test('equal ones may be about other things', () => {
  const folder = new RefusalFolder(1000)
  folder.take(refusal(), 0)
  expect(folder.take(refusal({ target: { namespace: 'n' }, reason: 'other' }), 0)).toBeUndefined()
})

test('a flood from many addresses makes a bounded number of entries, and crowds out nobody else', () => {
  const folder = new RefusalFolder(1000)
  const { tenantId: _, credential: __, ...call } = refusal({ principal: { type: 'anonymous', id: '' } })
  let written = 0
  for (let i = 0; i < 50_000; i += 1) {
    if (folder.take({ ...call, sourceAddress: `10.0.${i >> 8}.${i & 255}` }, 0) !== undefined) written += 1
  }
  expect(written).toBe(1001)
  expect(folder.take(refusal(), 0)).toBeDefined()
  const ended = folder.ended(1000)
  expect(ended).toMatchObject([{ sourceAddress: '', repeats: 48_999, details: { severalCallers: true } }])
  // Room is made when windows end.
  folder.ended(3000)
  expect(folder.take({ ...call, sourceAddress: '10.9.9.9' }, 3001)).toMatchObject({ sourceAddress: '10.9.9.9' })
})
