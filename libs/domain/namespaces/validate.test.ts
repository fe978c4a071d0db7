import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NamespaceSpec, specEquals, validateSpec, validateTags, validateUpdate } from '#libs/domain/namespaces'

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
