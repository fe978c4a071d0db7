import { expect, test } from 'vitest'
import { type ObservedNexusEndpoint, planNexusEndpoint, registryMs } from './plan.ts'

const desired = { name: 'payments', generation: 3, deleted: false }
const absent: ObservedNexusEndpoint = { cell: { kind: 'absent' }, edge: { kind: 'absent' } }
const present = { kind: 'present', name: 'payments', sinceMs: registryMs } as const
const served = { kind: 'serving', generation: 3 } as const
const kinds = (wanted: typeof desired, observed: ObservedNexusEndpoint) =>
  planNexusEndpoint(wanted, observed).map((step) => step.kind)

test('a new one is routed before the cell knows its name', () => {
  expect(kinds(desired, absent)).toEqual(['serve', 'register', 'done'])
})

test('what is as it should be needs nothing', () => {
  expect(kinds(desired, { cell: present, edge: served })).toEqual(['done'])
})

test('a change of policy goes to the edge alone', () => {
  expect(kinds({ ...desired, generation: 4 }, { cell: present, edge: served })).toEqual(['serve', 'done'])
})

test('a name that was made just now is waited for', () => {
  expect(planNexusEndpoint(desired, { cell: { ...present, sinceMs: 500 }, edge: served })).toEqual([
    { kind: 'wait-cell-cache', ms: registryMs - 500 },
    { kind: 'done' },
  ])
})

test('a new name takes the place of the old one', () => {
  const observed = { cell: { ...present, name: 'old' }, edge: { kind: 'serving', generation: 2 } } as const
  expect(planNexusEndpoint(desired, observed)).toEqual([
    { kind: 'serve', generation: 3 },
    { kind: 'unregister', name: 'old' },
    { kind: 'register', name: 'payments' },
    { kind: 'done' },
  ])
})

test('what is not known is looked at again, whichever way it goes', () => {
  const unknown: ObservedNexusEndpoint = { cell: { kind: 'unknown' }, edge: { kind: 'unknown' } }
  expect(kinds(desired, unknown)).toEqual(['serve', 'register', 'done'])
  expect(kinds({ ...desired, deleted: true }, unknown)).toEqual(['withdraw', 'unregister', 'done'])
})

test('a deletion takes the routes first', () => {
  expect(kinds({ ...desired, deleted: true }, { cell: present, edge: served })).toEqual([
    'withdraw',
    'unregister',
    'done',
  ])
  expect(kinds({ ...desired, deleted: true }, absent)).toEqual(['done'])
})
