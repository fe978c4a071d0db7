import { describe, expect, test } from 'vitest'
import { type NexusEndpointSpec, validateNexusEndpointSpec, validateNexusEndpointUpdate } from './spec.ts'

const spec: NexusEndpointSpec = {
  name: 'payments',
  targetNamespaceId: 'target.abcde',
  targetTaskQueue: 'queue',
  allowedNamespaceIds: ['one.abcde', 'two.abcde'],
}
const fields = (change: Partial<NexusEndpointSpec>) =>
  validateNexusEndpointSpec({ ...spec, ...change }).map((problem) => problem.field)

describe('names', () => {
  test.each(['ab', 'Payments', 'a-b', 'a--b', 'a1', 'a'.repeat(200)])('%s is one', (name) => {
    expect(fields({ name })).toEqual([])
  })
  test.each(['', 'a', '1a', '-a', 'a-', 'a_b', 'a.b', 'ä1', 'a b', 'a\n', 'a'.repeat(201)])('%j is none', (name) => {
    expect(fields({ name })).toEqual(['spec.name'])
  })
})

test('every problem is reported at once', () => {
  const nothing = { name: '', targetNamespaceId: '', targetTaskQueue: '', allowedNamespaceIds: ['', 'a.b', 'a.b'] }
  expect(validateNexusEndpointSpec(nothing).map(({ field }) => field)).toEqual([
    'spec.name',
    'spec.target_spec.worker_target_spec.namespace_id',
    'spec.target_spec.worker_target_spec.task_queue',
    'spec.policy_specs[0].allowed_cloud_namespace_policy_spec.namespace_id',
    'spec.policy_specs[2].allowed_cloud_namespace_policy_spec.namespace_id',
  ])
})

test.each(['/_sys/queue/1', 'q'.repeat(1001), '\ud800'])('a task queue cannot be %j', (targetTaskQueue) => {
  expect(fields({ targetTaskQueue })).toEqual(['spec.target_spec.worker_target_spec.task_queue'])
})

test('a description has its limit', () => {
  expect(fields({ description: new Uint8Array(20_000) })).toEqual([])
  expect(fields({ description: new Uint8Array(20_001) })).toEqual(['spec.description'])
})

describe('an update', () => {
  const update = (change: Partial<NexusEndpointSpec>, from = spec) =>
    validateNexusEndpointUpdate(from, { ...from, ...change }).map((problem) => problem.message)

  test('without effect is nothing to change', () => {
    expect(update({})).toEqual(['nothing to change'])
    const described = { ...spec, description: new Uint8Array([1, 2]) }
    expect(update({ description: new Uint8Array([1, 2]) }, described)).toEqual(['nothing to change'])
  })
  test('of any one part has an effect, also from no description to an empty one', () => {
    expect(update({ name: 'other' })).toEqual([])
    expect(update({ description: new Uint8Array() })).toEqual([])
    expect(update({ description: new Uint8Array([1]) }, { ...spec, description: new Uint8Array([2]) })).toEqual([])
    expect(update({ targetNamespaceId: 'x.abcde' })).toEqual([])
    expect(update({ targetTaskQueue: 'x' })).toEqual([])
    expect(update({ allowedNamespaceIds: ['two.abcde', 'one.abcde'] })).toEqual([])
  })
})
