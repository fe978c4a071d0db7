import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  actionsPerSecond,
  cellLimitsOf,
  changedTags,
  type NamespaceSpec,
  needsReconciling,
  requestLimits,
  specEquals,
  validateNew,
  validateSpec,
  validateTags,
  validateUpdate,
} from '#libs/domain/namespaces'

const limits = { regions: ['aws-us-east-1', 'aws-eu-west-1'] }
const good: NamespaceSpec = {
  name: 'payments',
  regions: ['aws-us-east-1'],
  retentionDays: 30,
  mtlsAuth: { enabled: true, acceptedClientCa: '-----BEGIN CERTIFICATE-----', certificateFilters: [] },
  apiKeyAuth: { enabled: true },
  deletionProtected: false,
}
const filter = { commonName: '', organization: '', organizationalUnit: '', subjectAlternativeName: '' }
const withFilters = (...commonNames: readonly string[]): NamespaceSpec => ({
  ...good,
  mtlsAuth: {
    ...good.mtlsAuth,
    certificateFilters: commonNames.map((commonName) => ({ ...filter, commonName })),
  },
})
const withCodec = (endpoint: string): NamespaceSpec => ({
  ...good,
  codecServer: { endpoint, passAccessToken: false, includeCrossOriginCredentials: false },
})
const fields = (spec: NamespaceSpec) => validateSpec(spec, limits).map((problem) => problem.field)

describe('validateSpec', () => {
  it.each<[string, NamespaceSpec]>([
    ['a plain one', good],
    ['API keys alone', { ...good, mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] } }],
    ['mTLS alone', { ...good, apiKeyAuth: { enabled: false } }],
    ['the longest name', { ...good, name: 'a'.repeat(39) }],
    ['the shortest name', { ...good, name: 'a1' }],
    ['filters with a star at one end', withFilters('*.example.com', 'worker-*', 'exact')],
    ['25 filters', withFilters(...Array.from({ length: 25 }, (_, index) => `worker-${index}`))],
    ['a codec server', withCodec('https://codec.example.com:8443/path')],
  ])('accepts %s', (_, spec) => {
    expect(validateSpec(spec, limits)).toEqual([])
  })

  it.each<[string, NamespaceSpec, string]>([
    ...['', 'a', 'a'.repeat(40), 'Payments', '1pay', '-pay', 'pay-', 'pay.ments', 'pay_ments', 'päy', 'pay\n'].map(
      (name): [string, NamespaceSpec, string] => [`the name ${JSON.stringify(name)}`, { ...good, name }, 'spec.name'],
    ),
    ...[0, -1, 91, 1.5, Number.NaN].map((retentionDays): [string, NamespaceSpec, string] => [
      `${retentionDays} days`,
      { ...good, retentionDays },
      'spec.retention_days',
    ]),
    ['no region', { ...good, regions: [] }, 'spec.replicas'],
    ['two regions', { ...good, regions: limits.regions }, 'spec.replicas'],
    ['an unknown region', { ...good, regions: ['aws-mars-1'] }, 'spec.replicas'],
    [
      'no authentication',
      { ...good, mtlsAuth: { ...good.mtlsAuth, enabled: false }, apiKeyAuth: { enabled: false } },
      'spec',
    ],
    [
      'mTLS without a CA',
      { ...good, mtlsAuth: { ...good.mtlsAuth, acceptedClientCa: ' \n' } },
      'spec.mtls_auth.accepted_client_ca',
    ],
    ['an empty filter', withFilters('ok', ''), 'spec.mtls_auth.certificate_filters[1]'],
    ['a star alone', withFilters('*'), 'spec.mtls_auth.certificate_filters[0].common_name'],
    ['two stars', withFilters('*a*'), 'spec.mtls_auth.certificate_filters[0].common_name'],
    ['a star in the middle', withFilters('a*b'), 'spec.mtls_auth.certificate_filters[0].common_name'],
    ['a long filter', withFilters('a'.repeat(257)), 'spec.mtls_auth.certificate_filters[0].common_name'],
    ['a filter of two lines', withFilters('a\nb'), 'spec.mtls_auth.certificate_filters[0].common_name'],
    ['26 filters', withFilters(...Array.from({ length: 26 }, () => 'a')), 'spec.mtls_auth.certificate_filters'],
    ['a plain codec URL', withCodec('http://codec.example.com'), 'spec.codec_server.endpoint'],
    ['no codec URL', withCodec(''), 'spec.codec_server.endpoint'],
    ['a codec URL with a password', withCodec('https://a:b@codec.example.com'), 'spec.codec_server.endpoint'],
  ])('refuses %s', (_, spec, field) => {
    expect(fields(spec)).toContain(field)
  })

  it('names every mistake at once', () => {
    expect(fields({ ...good, name: 'X', retentionDays: 0, regions: [] })).toEqual([
      'spec.name',
      'spec.replicas',
      'spec.retention_days',
    ])
  })
})

describe('validateUpdate', () => {
  const active = (spec: NamespaceSpec) => ({ spec, state: 'active' as const })

  it.each(['update_failed', 'activation_failed'] as const)('may ask for the same again in the state %s', (state) => {
    expect(validateUpdate({ spec: good, state }, { ...good }, limits)).toEqual([])
  })

  it('says exactly what clients match when nothing changes', () => {
    expect(validateUpdate(active(good), { ...good }, limits)).toEqual([{ field: 'spec', message: 'nothing to change' }])
  })

  it('lets neither name nor region change', () => {
    const next = { ...good, name: 'other', regions: ['aws-eu-west-1'] }
    expect(validateUpdate(active(good), next, limits).map((problem) => problem.field)).toEqual([
      'spec.name',
      'spec.replicas',
    ])
  })

  it('lets a namespace in a region that is offered no longer change', () => {
    expect(validateUpdate(active(good), { ...good, retentionDays: 7 }, { regions: ['aws-eu-west-1'] })).toEqual([])
  })

  it('lets mTLS be added to API keys', () => {
    const keysAlone = { ...good, mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] } }
    expect(validateUpdate(active(keysAlone), good, limits)).toEqual([])
  })
})

describe('specEquals', () => {
  const changes: readonly NamespaceSpec[] = [
    { ...good, retentionDays: 7 },
    { ...good, apiKeyAuth: { enabled: false } },
    { ...good, deletionProtected: true },
    { ...good, mtlsAuth: { ...good.mtlsAuth, enabled: false } },
    { ...good, mtlsAuth: { ...good.mtlsAuth, acceptedClientCa: '-----BEGIN CERTIFICATE-----\n' } },
    withFilters('a', 'b'),
    withFilters('b', 'a'),
    withCodec('https://codec.example.com'),
  ]

  it('tells every two different specs apart, the order of filters included', () => {
    fc.assert(
      fc.property(fc.nat(changes.length), fc.nat(changes.length), (a, b) => {
        const all = [good, ...changes]
        expect(specEquals(all[a] ?? good, structuredClone(all[b] ?? good))).toBe(a === b)
      }),
    )
  })
})

describe('needsReconciling', () => {
  it.each<[string, NamespaceSpec, boolean]>([
    ['a codec server', withCodec('https://codec.example.com'), false],
    ['delete protection', { ...good, deletionProtected: true }, false],
    [
      'flags of high availability',
      { ...good, highAvailability: { disableManagedFailover: true, disablePassivePollerForwarding: true } },
      false,
    ],
    ['retention', { ...good, retentionDays: 7 }, true],
    ['certificate filters', withFilters('a'), true],
    ['API keys', { ...good, apiKeyAuth: { enabled: false } }, true],
    ['a search attribute', { ...good, searchAttributes: { A: { type: 'Int', column: 'Int01' } } }, true],
    ['capacity', { ...good, capacity: { mode: 'provisioned', units: 2 } }, true],
    ['fairness', { ...good, fairness: { taskQueueFairness: true } }, true],
    ['a codec server besides', { ...withCodec('https://codec.example.com'), retentionDays: 7 }, true],
  ])('%s', (_, next, needs) => {
    expect(needsReconciling(good, next)).toBe(needs)
    expect(needsReconciling(next, good)).toBe(needs)
  })
})

describe('capacity', () => {
  const provisioned = (units: number): NamespaceSpec => ({ ...good, capacity: { mode: 'provisioned', units } })

  it('comes in the units that Temporal Cloud has', () => {
    const accepted = Array.from({ length: 15 }, (_, units) => units).filter(
      (units) => fields(provisioned(units)).length === 0,
    )
    expect(accepted).toEqual([2, 3, 4, 6, 8, 10, 12])
    expect(fields(provisioned(2.5))).toEqual(['spec.capacity_spec.provisioned.value'])
  })

  it('is provisioned by an update, not at the creation', () => {
    expect(validateNew(provisioned(2), limits).map((problem) => problem.field)).toEqual([
      'spec.capacity_spec.provisioned',
    ])
    expect(validateNew({ ...good, capacity: { mode: 'on_demand' } }, limits)).toEqual([])
    expect(validateUpdate({ spec: good, state: 'active' }, provisioned(2), limits)).toEqual([])
  })

  it('is 500 actions a unit, with four requests each', () => {
    expect(actionsPerSecond(undefined)).toBe(500)
    expect(actionsPerSecond({ mode: 'provisioned', units: 6 })).toBe(3_000)
    expect(requestLimits({ mode: 'on_demand' })).toEqual({ requestsPerSecond: 2_000, visibilityRequestsPerSecond: 30 })
  })
})

describe('cellLimitsOf', () => {
  it('says only what differs from a namespace that nobody set anything for', () => {
    expect(cellLimitsOf(good)).toEqual({})
    expect(cellLimitsOf({ capacity: { mode: 'on_demand' }, fairness: { taskQueueFairness: false } })).toEqual({})
    expect(
      cellLimitsOf({ capacity: { mode: 'provisioned', units: 2 }, fairness: { taskQueueFairness: true } }),
    ).toEqual({ requestsPerSecond: 4_000, visibilityRequestsPerSecond: 60, fairness: true })
  })
})

describe('changedTags', () => {
  const present = { team: 'a', stage: 'test' }
  const change = (upsert: Record<string, string>, remove: string[] = []) => changedTags(present, { upsert, remove })

  it('sets, replaces and removes, and forgives the removal of what is not there', () => {
    expect(change({ team: 'b', cost: 'x' }, ['stage', 'absent'])).toEqual({
      tags: { team: 'b', cost: 'x' },
      problems: [],
    })
    expect(change({}, ['absent'])).toEqual({ tags: present, problems: [] })
  })

  it.each<[string, ReturnType<typeof change>, string]>([
    ['nothing', change({}), 'must be given'],
    ['what is there', change({ team: 'a' }), 'nothing to change'],
    ['a bad key', change({ Team: 'a' }), 'must have 1 to 63 characters'],
    ['a bad value', change({ team: '' }), 'must have 1 to 63 characters'],
    ['one to set and to remove', change({ team: 'b' }, ['team']), 'is in tags_to_upsert too'],
    [
      'too many',
      change(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`t${n}`, 'a']))),
      'at most 10 tags, not 11',
    ],
  ])('refuses %s', (_, { problems }, message) => {
    expect(problems.map((problem) => problem.message).join()).toContain(message)
  })

  it('counts what is left', () => {
    const nine = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`t${n}`, 'a']))
    expect(change(nine, ['team']).problems).toEqual([])
  })
})

describe('validateTags', () => {
  it.each([[{}], [{ team: 'payments', 'cost.center@x': '12_3-4' }]])('accepts %j', (tags) => {
    expect(validateTags(tags)).toEqual([])
  })

  it.each([
    [{ Team: 'a' }],
    [{ team: '' }],
    [{ '': 'a' }],
    [{ team: 'a'.repeat(64) }],
    [{ team: 'a b' }],
    [Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, 'a']))],
  ])('refuses %j', (tags) => {
    expect(validateTags(tags)).toHaveLength(1)
  })
})
