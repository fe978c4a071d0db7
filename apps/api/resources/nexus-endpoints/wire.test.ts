import { describe, expect, test } from 'vitest'
import type { NexusEndpointRow } from '#libs/store/nexus-endpoints'
import { nexusEndpointSpecFromWire, nexusEndpointToWire } from './wire.ts'

const wire = {
  name: 'payments',
  targetSpec: { workerTargetSpec: { namespaceId: 'target.abcde', taskQueue: 'queue' } },
  policySpecs: [
    { allowedCloudNamespacePolicySpec: { namespaceId: 'b.abcde' } },
    { allowedCloudNamespacePolicySpec: { namespaceId: 'a.abcde' } },
  ],
}
const text = (words: string) => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(words)),
})

function rowOf(spec: ReturnType<typeof nexusEndpointSpecFromWire>): NexusEndpointRow {
  return {
    id: 'nexus-1',
    tenant_id: 'abcde',
    name: spec.name,
    description: spec.description === undefined ? null : Buffer.from(spec.description),
    target_namespace_id: spec.targetNamespaceId,
    target_task_queue: spec.targetTaskQueue,
    allowed_namespace_ids: [...spec.allowedNamespaceIds],
    state: 'active',
    resource_version: 7,
    generation: 9,
    cell_id: null,
    served: true,
    cell_observed: null,
    edge_observed: null,
    waiting_for: '',
    failures: 0,
    retry_at: null,
    lease_owner: null,
    leased_until: null,
    created_by: 'usr-1',
    created_at: new Date(1_000),
    updated_at: null,
    deleted_at: null,
  }
}

test('a spec comes back as it went, its callers in their order', () => {
  const { spec, resourceVersion, lastModifiedTime } = nexusEndpointToWire(rowOf(nexusEndpointSpecFromWire(wire)), '')
  expect(spec).toEqual(wire)
  expect(resourceVersion).toBe('7')
  expect(lastModifiedTime).toBeUndefined()
})

describe('a description', () => {
  const read = (more: object) => nexusEndpointSpecFromWire({ ...wire, ...more }).description

  test('that is none, empty, or an empty text are three things', () => {
    expect(read({})).toBeUndefined()
    expect(read({ description: null })).toBeUndefined()
    expect(read({ description: {} })).toHaveLength(0)
    expect(read({ description: text('') })?.length).toBeGreaterThan(0)
  })

  test('is the same bytes in whatever order its metadata come', () => {
    const [one, two] = [Buffer.from('1'), Buffer.from('2')]
    expect(read({ description: { metadata: { a: one, b: two } } })).toEqual(
      read({ description: { metadata: { b: two, a: one } } }),
    )
  })

  test('of an old client is what a new one would send, and never wins over one', () => {
    expect(read({ descriptionDeprecated: 'x "y"' })).toEqual(read({ description: text('x "y"') }))
    expect(read({ descriptionDeprecated: '' })).toBeUndefined()
    expect(read({ description: {}, descriptionDeprecated: 'x' })).toHaveLength(0)
  })

  test('is shown to old clients as far as it is text', () => {
    const shown = (description: object) =>
      nexusEndpointToWire(rowOf(nexusEndpointSpecFromWire({ ...wire, description })), '').spec?.descriptionDeprecated
    expect(shown(text('hello'))).toBe('hello')
    expect(shown({})).toBe('')
    expect(shown({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{broken') })).toBe('')
    expect(shown({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('5') })).toBe('')
    expect(shown({ metadata: { encoding: Buffer.from('binary/plain') }, data: Buffer.from('"x"') })).toBe('')
  })
})

test('what has no target or a policy of no kind is refused by name, all of it at once', () => {
  expect(() => nexusEndpointSpecFromWire(null)).toThrow('spec: must be given')
  expect(() => nexusEndpointSpecFromWire({ name: 'x', policySpecs: [{}] })).toThrow(
    'spec.target_spec.worker_target_spec: must be given; spec.policy_specs[0].allowed_cloud_namespace_policy_spec: must be given',
  )
})
