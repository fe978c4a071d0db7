import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  aliasesOf,
  type Capacity,
  type NamespaceSpec,
  type SearchAttributeType,
  withColumns,
} from '#libs/domain/namespaces'
import type { NamespaceRow } from '#libs/store/namespaces'
import { namespaceToWire, specFromWire } from './wire.ts'

const names = { domain: 'example.test', edgePort: 7233 }
const types: readonly SearchAttributeType[] = ['Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList']

const attributes = fc
  .dictionary(fc.stringMatching(/^[A-Za-z][A-Za-z0-9 ]{0,20}$/), fc.constantFrom(...types), { maxKeys: 5 })
  .map((wanted) => withColumns({}, wanted))
const capacity: fc.Arbitrary<Capacity> = fc.oneof(
  fc.constant({ mode: 'on_demand' as const }),
  fc.constantFrom(2, 3, 4, 6, 8, 10, 12).map((units) => ({ mode: 'provisioned' as const, units })),
)
const text = fc.string({ maxLength: 8 }).filter((one) => !one.includes('\0'))
const filter = fc.record({
  commonName: text,
  organization: text,
  organizationalUnit: text,
  subjectAlternativeName: text,
})
const spec: fc.Arbitrary<NamespaceSpec> = fc.record(
  {
    name: fc.constant('payments'),
    regions: fc.constant(['aws-us-east-1']),
    retentionDays: fc.integer({ min: 1, max: 90 }),
    mtlsAuth: fc.record({
      enabled: fc.boolean(),
      acceptedClientCa: fc.string({ unit: 'grapheme', maxLength: 20 }).filter((one) => !one.includes('\0')),
      certificateFilters: fc.array(filter, { maxLength: 3 }),
    }),
    apiKeyAuth: fc.record({ enabled: fc.boolean() }),
    deletionProtected: fc.boolean(),
    searchAttributes: attributes,
    capacity,
    fairness: fc.record({ taskQueueFairness: fc.boolean() }),
    highAvailability: fc.record({
      disableManagedFailover: fc.boolean(),
      disablePassivePollerForwarding: fc.boolean(),
    }),
    codecServer: fc.record({
      endpoint: fc.constant('https://codec.test'),
      passAccessToken: fc.boolean(),
      includeCrossOriginCredentials: fc.boolean(),
    }),
  },
  {
    requiredKeys: [
      'name',
      'regions',
      'retentionDays',
      'mtlsAuth',
      'apiKeyAuth',
      'deletionProtected',
      'searchAttributes',
    ],
  },
)

function row(spec: NamespaceSpec, more: Partial<NamespaceRow> = {}): NamespaceRow {
  return {
    id: 'payments.a1b2c',
    tenant_id: 'a1b2c',
    name: 'payments',
    region: 'aws-us-east-1',
    spec,
    tags: {},
    state: 'active',
    resource_version: 1,
    generation: 1,
    cell_id: null,
    served: true,
    cell_observed: null,
    edge_observed: null,
    name_observed: null,
    waiting_for: '',
    failures: 0,
    lease_owner: null,
    leased_until: null,
    retry_at: null,
    limits_observed: null,
    capacity_status: null,
    created_by: 'usr-1',
    created_at: new Date(0),
    updated_at: null,
    deleted_at: null,
    ...more,
  }
}

const toWire = (one: NamespaceRow) => namespaceToWire(one, '', new Map(), names)

describe('a namespace spec on the wire', () => {
  it('comes back as it was, whatever is set', () => {
    fc.assert(
      fc.property(spec, (one) => {
        expect(specFromWire(toWire(row(one)).spec, one)).toEqual(one)
      }),
    )
  })

  it('comes back with the same attributes by either of their two fields', () => {
    fc.assert(
      fc.property(spec, (one) => {
        const wire = toWire(row(one)).spec
        const { searchAttributes: _new, ...old } = wire ?? {}
        const { customSearchAttributes: _old, ...young } = wire ?? {}
        expect(specFromWire(old, one).searchAttributes).toEqual(one.searchAttributes)
        expect(specFromWire(young, one).searchAttributes).toEqual(one.searchAttributes)
      }),
    )
  })

  it('keeps the columns of attributes that are there, and gives new ones others', () => {
    const before = specFromWire({ name: 'payments', searchAttributes: { B: 2 } })
    const next = specFromWire({ name: 'payments', searchAttributes: { A: 2, B: 2 } }, before)
    expect(aliasesOf(next.searchAttributes ?? {})).toEqual({ Keyword01: 'B', Keyword02: 'A' })
  })

  it('has the client CA that was changed, in whichever field, beside the other one as it was read', () => {
    const bytes = (pem: string) => Buffer.from(pem)
    const base64 = (pem: string) => bytes(pem).toString('base64')
    const wire = (young: string, old: string) => ({
      name: 'payments',
      mtlsAuth: { acceptedClientCa: bytes(young), acceptedClientCaDeprecated: base64(old) },
    })
    const present = specFromWire(wire('present', 'present'))
    const caOf = (young: string, old: string) => specFromWire(wire(young, old), present).mtlsAuth.acceptedClientCa
    expect(caOf('next', 'present')).toBe('next')
    expect(caOf('present', 'next')).toBe('next')
    expect(caOf('next', '')).toBe('next')
    expect(caOf('', 'next')).toBe('next')
    expect(caOf('present', '')).toBe('present')
    expect(() => caOf('one', 'other')).toThrow(/differs from accepted_client_ca_deprecated/)
    expect(() => specFromWire(wire('one', 'other'))).toThrow(/differs from accepted_client_ca_deprecated/)
  })

  it('is refused with both modes of capacity', () => {
    expect(() => specFromWire({ capacitySpec: { onDemand: {}, provisioned: { value: 2 } } })).toThrow(/capacity_spec/)
  })
})

describe('the capacity of a namespace', () => {
  const provisioned: Capacity = { mode: 'provisioned', units: 4 }
  const base = {
    name: 'payments',
    regions: [],
    retentionDays: 1,
    apiKeyAuth: { enabled: true },
    deletionProtected: false,
  }
  const mtlsAuth = { enabled: false, acceptedClientCa: '', certificateFilters: [] }
  const asked: NamespaceSpec = { ...base, mtlsAuth, capacity: provisioned }
  const request = { capacity: provisioned, operationId: 'op-1', startedAt: '2026-01-02T03:04:05.000Z' }

  it('is what acts, not what was asked for', () => {
    const wire = toWire(row(asked, { capacity_status: { request } }))
    expect(wire.capacity).toMatchObject({
      onDemand: {},
      latestRequest: { state: 2, spec: { provisioned: { value: 4 } } },
    })
    expect(wire.limits).toEqual({ actionsPerSecondLimit: 500 })
  })

  it.each([
    ['completed', 1],
    ['failed', 3],
  ] as const)('says that the request is %s', (outcome, state) => {
    const done = { ...request, outcome, endedAt: '2026-01-02T03:04:12.000Z' }
    const status = outcome === 'completed' ? { current: provisioned, request: done } : { request: done }
    const wire = toWire(row(asked, { capacity_status: status }))
    expect(wire.capacity?.latestRequest).toMatchObject({ state, asyncOperationId: 'op-1' })
    expect(wire.limits).toEqual({ actionsPerSecondLimit: outcome === 'completed' ? 2_000 : 500 })
  })
})
