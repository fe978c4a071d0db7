import { expect, test } from 'vitest'
import type { EdgeRefusal } from '#libs/domain/edges'
import { foldMs, RefusalFold } from './fold.ts'

function refusal(more: Partial<EdgeRefusal> = {}): EdgeRefusal {
  return {
    namespaceId: 'a.t',
    at: 1_000,
    operation: 'GetSystemInfo',
    outcome: 'UNAUTHENTICATED',
    reason: 'because',
    principalId: '',
    keyId: '',
    fingerprint: '',
    sourceAddress: '192.0.2.1',
    requestId: 'one',
    repeats: 1,
    ...more,
  }
}

test('the first of a kind is told at once, the rest as one when the window ends, and so on', () => {
  const fold = new RefusalFold([])
  expect(fold.take(refusal(), 0)).toEqual(refusal())
  expect(fold.take(refusal({ at: 2_000 }), 10)).toBeUndefined()
  expect(fold.take(refusal({ at: 3_000, requestId: 'three' }), 20)).toBeUndefined()
  expect(fold.ended(foldMs - 1)).toEqual([])
  expect(fold.ended(foldMs)).toEqual([refusal({ at: 3_000, requestId: 'three', repeats: 2, firstAt: 2_000 })])
  expect(fold.take(refusal(), foldMs + 1)).toBeUndefined()
  expect(fold.ended(2 * foldMs)).toMatchObject([{ repeats: 1 }])
  expect(fold.ended(3 * foldMs)).toEqual([])
  expect(fold.windows).toEqual([])
})

test('what was folded is still there in a fold made of its windows', () => {
  const before = new RefusalFold([])
  before.take(refusal(), 0)
  before.take(refusal(), 1)
  const after = new RefusalFold(JSON.parse(JSON.stringify(before.windows)))
  expect(after.take(refusal(), 2)).toBeUndefined()
  expect(after.ended(foldMs)).toMatchObject([{ repeats: 2 }])
})

test('a clock that was set back holds nothing for long', () => {
  const fold = new RefusalFold([])
  fold.take(refusal(), 10 * foldMs)
  fold.take(refusal(), 10 * foldMs)
  expect(fold.ended(0)).toHaveLength(1)
})

test.each([
  ['another namespace', { namespaceId: 'b.t' }],
  ['another method', { operation: 'PollWorkflowTaskQueue' }],
  ['another outcome', { outcome: 'PERMISSION_DENIED' }],
  ['another reason', { reason: 'another' }],
  ['another key', { keyId: 'key-2' }],
  ['another certificate', { fingerprint: 'ab' }],
  ['another principal', { principalId: 'usr-2' }],
  ['another source', { sourceAddress: '192.0.2.2' }],
] as const)('%s is another kind', (_name, more) => {
  const fold = new RefusalFold([])
  fold.take(refusal(), 0)
  expect(fold.take(refusal(more), 0)).toEqual(refusal(more))
})

test('one namespace’s flood of kinds is told apart by outcome alone, and leaves room for others', () => {
  const fold = new RefusalFold([])
  const told = Array.from({ length: 10_000 }, (_, index) =>
    fold.take(refusal({ operation: `/${index}`, sourceAddress: `192.0.2.${index}` }), 0),
  ).filter((one) => one !== undefined)
  expect(told).toHaveLength(201)
  expect(told.at(-1)).toMatchObject({ operation: 'several', sourceAddress: '', severalCallers: true })
  expect(fold.ended(foldMs)).toMatchObject([{ repeats: 9_799, operation: 'several' }])
  expect(fold.take(refusal({ namespaceId: 'b.t' }), 0)).toEqual(refusal({ namespaceId: 'b.t' }))
})
