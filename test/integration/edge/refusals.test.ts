import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EdgeNamespace, type EdgeRefusal, edgeFiles, proxyFieldOf } from '#libs/domain/edges'
import { createCertificateAuthority } from '#libs/pki'
import { until } from '../../harness/until.ts'
import type { Identity } from './edge-client.ts'
import { clientIdentity, type TestCall } from './edge-fixture.ts'
import { RefusalsFixture } from './refusals-fixture.ts'

type Client = Identity & { readonly fingerprintSha256: string }

const service = '/temporal.api.workflowservice.v1.WorkflowService/'
let fixture: RefusalsFixture
let namespace: EdgeNamespace
let worker: Client
let filtered: Client
let stranger: Client
let revoked: Client

beforeAll(async () => {
  fixture = await RefusalsFixture.start()
  const { edge } = fixture
  const ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  const other = await createCertificateAuthority({ commonName: 'Other', validityDays: 30 })
  worker = await clientIdentity(ca, 'worker')
  revoked = await clientIdentity(ca, 'worker')
  filtered = await clientIdentity(ca, 'filtered')
  stranger = await clientIdentity(other, 'worker')
  const filter = { commonName: 'worker', organization: '', organizationalUnit: '', subjectAlternativeName: '' }
  namespace = edge.namespace('payments.t', {
    clientCa: { pem: ca.certificatePem, filters: [filter] },
    revokedKeyIds: ['key-revoked'],
    revokedFingerprints: [fingerprintOf(revoked)],
    reach: { isPublic: true, privateLinks: [{ provider: 'aws', connectionId: 'vpce-1' }] },
  })
  await edge.apply([namespace])
  fixture.startAgent()
})
afterAll(() => fixture.close())

function fingerprintOf(identity: Client): string {
  return identity.fingerprintSha256.replaceAll(':', '').toLowerCase()
}

/** As a load balancer sends it for a client of its own; the fixture's header is that of the product's own probe. */
function by(connectionId: string): TestCall {
  const way = fixture.edge.privately(proxyFieldOf({ provider: 'aws', connectionId }))
  const before = Buffer.from(way.before ?? [])
  Buffer.from([203, 0, 113, 9]).copy(before, 16)
  return { ...way, before }
}

const call = (options: TestCall) => fixture.edge.call(namespace, options).catch(() => undefined)

/** What is told of these calls, in the order of the log. */
async function toldOf(...calls: readonly TestCall[]): Promise<readonly EdgeRefusal[]> {
  const before = (await fixture.settled(namespace.hostname)).length
  for (const options of calls) await call(options)
  return (await fixture.settled(namespace.hostname)).slice(before)
}

const who = { principalId: '', keyId: '', fingerprint: '' }

test('each kind of refusal is told once, with who it was', async () => {
  const { edge } = fixture
  const requestId = (id: string) => ({ headers: { 'x-request-id': id } })
  const told = await toldOf(
    { ...requestId('none') },
    { ...requestId('key'), token: await edge.apiKey({ jti: 'key-revoked' }) },
    { ...requestId('certificate'), identity: revoked },
    { ...requestId('principal'), token: await edge.apiKey({ sub: 'sa-other', jti: 'key-2' }) },
    { ...requestId('expired'), token: await edge.apiKey({ exp: 1_000 }) },
    { ...requestId('garbage'), token: 'secret-garbage' },
    { ...requestId('basic'), headers: { authorization: 'Basic secret', 'x-request-id': 'basic' } },
    { ...requestId('filter'), identity: filtered },
    { ...requestId('method'), identity: worker, path: `${service}DeleteNamespace` },
    { ...requestId('absent'), identity: worker, path: '/other.Service/Method?password=secret' },
    { ...requestId('not grpc'), identity: worker, contentType: 'text/plain' },
    { ...requestId('authority'), token: await edge.apiKey(), authority: 'other.t.example' },
    { identity: stranger },
    { identity: worker, ...by('vpce-2') },
  )
  const fields = told.map(({ namespaceId, outcome, operation, reason, requestId: id, ...rest }) => {
    expect(namespaceId).toBe('payments.t')
    expect(Math.abs(rest.at - Date.now())).toBeLessThan(60_000)
    expect(rest.repeats).toBe(1)
    const { principalId, keyId, fingerprint, sourceAddress } = rest
    return [id, outcome, operation, reason, { principalId, keyId, fingerprint }, sourceAddress]
  })
  const local = '127.0.0.1'
  const certificate = (identity: Client) => ({ ...who, fingerprint: fingerprintOf(identity) })
  expect(fields).toEqual([
    ['none', 'UNAUTHENTICATED', 'GetSystemInfo', 'a client certificate or an API key is needed', who, local],
    [
      ...['key', 'UNAUTHENTICATED', 'GetSystemInfo', 'the API key is revoked'],
      { ...who, principalId: 'usr-writer', keyId: 'key-revoked' },
      local,
    ],
    [
      ...['certificate', 'PERMISSION_DENIED', 'GetSystemInfo', 'the client certificate is revoked'],
      certificate(revoked),
      local,
    ],
    [
      ...['principal', 'PERMISSION_DENIED', 'GetSystemInfo', 'the API key does not permit this namespace'],
      { ...who, principalId: 'sa-other', keyId: 'key-2' },
      local,
    ],
    ['expired', 'UNAUTHENTICATED', 'GetSystemInfo', 'the API key is not good: Jwt is expired', who, local],
    [
      ...['garbage', 'UNAUTHENTICATED', 'GetSystemInfo'],
      expect.stringMatching(/^the API key is not good: Jwt is not in the form/),
      who,
      local,
    ],
    ['basic', 'UNAUTHENTICATED', 'GetSystemInfo', expect.stringContaining('is not "Bearer'), who, local],
    [
      ...['filter', 'PERMISSION_DENIED', 'GetSystemInfo'],
      'the client certificate matches none of the certificate filters of this namespace',
      certificate(filtered),
      local,
    ],
    [
      ...['method', 'PERMISSION_DENIED', 'DeleteNamespace', expect.stringContaining('not available here')],
      certificate(worker),
      local,
    ],
    ['absent', 'UNIMPLEMENTED', '/other.Service/Method', 'there is no such method', certificate(worker), local],
    [...['not grpc', 'INVALID_ARGUMENT', 'GetSystemInfo', 'only gRPC is spoken here'], certificate(worker), local],
    [
      ...['authority', 'PERMISSION_DENIED', 'GetSystemInfo', expect.stringContaining('this connection is for')],
      { ...who, principalId: 'usr-writer', keyId: 'key-1' },
      local,
    ],
    [
      ...['', 'UNAUTHENTICATED', 'Connect', expect.stringMatching(/^the client certificate is not good: verify cert/)],
      certificate(stranger),
      local,
    ],
    [
      ...['', 'PERMISSION_DENIED', 'Connect', 'no connectivity rule lets this private connection in'],
      certificate(worker),
      '203.0.113.9',
    ],
  ])
  expect(readFileSync(join(edge.dir, edgeFiles.refusals), 'utf8')).not.toMatch(/secret|Bearer eyJ|eyJ[\w-]+\./)
})

test('what the cell itself refuses is told with the key that was shown', async () => {
  const { edge } = fixture
  const token = await edge.apiKey({ sub: 'sa-reader', jti: 'key-reader' })
  const told = await toldOf({ token, path: `${service}StartWorkflowExecution`, headers: { 'x-answer': '7' } })
  expect(told).toMatchObject([
    {
      outcome: 'PERMISSION_DENIED',
      operation: 'StartWorkflowExecution',
      reason: 'the cell refused it',
      principalId: 'sa-reader',
      keyId: 'key-reader',
    },
  ])
})

test('good calls, other answers of the cell, the probe and strangers of no namespace leave nothing', async () => {
  const { edge } = fixture
  const token = await edge.apiKey()
  const probe = await edge.probeToken(namespace.id)
  const told = await toldOf(
    { identity: worker },
    { token },
    { token, ...by('vpce-1') },
    ...['3', '5', '8', '12', '14'].map((status) => ({ token, headers: { 'x-answer': status } })),
    { token: probe, path: `${service}StartWorkflowExecution` },
    { identity: worker, ...edge.privately() },
    { identity: worker, serverName: 'nobody.t.example' },
    { identity: worker, serverName: '', anyName: true },
  )
  expect(told).toEqual([])
})

test('nobody says who they are, and nobody writes a line but the edge', async () => {
  const forged = '{"namespace":"other.t","path":"/x","grpc":16,"time":"1","why":"direct_response"}'
  const told = await toldOf(
    {
      path: '/forged',
      headers: {
        'x-principal': 'usr-forged',
        'x-aqueduct-key': 'key-forged',
        'x-aqueduct-fingerprint': 'f',
        'x-aqueduct-probe': 'p',
      },
    },
    { path: `/a"},${forged},{"`, headers: { 'x-request-id': `"}\\n${forged}` } },
    { path: `/a%0a${encodeURIComponent(forged)}`, headers: { 'x-request-id': 'é\\u000a' } },
    { path: `/${'a'.repeat(20_000)}`, headers: { 'x-request-id': 'b'.repeat(20_000) } },
  )
  expect(told).toHaveLength(4)
  for (const one of told) {
    expect(one).toMatchObject({ ...who, namespaceId: 'payments.t', outcome: 'UNAUTHENTICATED', repeats: 1 })
    expect(one.operation.length).toBeLessThanOrEqual(160)
    expect(one.requestId.length).toBeLessThanOrEqual(128)
    expect(Object.values(one).join('')).toMatch(/^[\x20-\x7e]+$/)
  }
})

test('an agent that ends in the middle loses nothing and tells nothing twice', async () => {
  const before = (await fixture.settled(namespace.hostname)).length
  fixture.state = 'forgetful'
  await call({ path: '/first' })
  await until('a batch was taken, and its answer lost', () =>
    fixture.told.some(({ operation }) => operation === '/first'),
  )
  await call({ path: '/second' })
  await fixture.stopAgent()
  await call({ path: '/third' })
  fixture.state = 'taking'
  fixture.startAgent()
  const told = await fixture.settled(namespace.hostname)
  expect(told.slice(before).map(({ operation }) => operation)).toEqual(['/first', '/second', '/third'])
})

test('what was refused while nobody takes it is told afterwards', async () => {
  const before = (await fixture.settled(namespace.hostname)).length
  fixture.state = 'refusing'
  for (const path of ['/away-1', '/away-2']) await call({ path })
  await fixture.stopAgent()
  fixture.startAgent()
  const log = join(fixture.edge.dir, edgeFiles.refusals)
  await until('Envoy has written it', () => readFileSync(log, 'utf8').includes('/away-2'))
  await fixture.edge.envoy.restart()
  await until('Envoy is back', async () => (await call({ path: '/away-3' })) !== undefined)
  fixture.state = 'taking'
  const told = await fixture.settled(namespace.hostname)
  const operations = told.slice(before).map(({ operation }) => operation)
  expect(operations).toEqual(['/away-1', '/away-2', '/away-3'])
})

test('a flood leaves files that are bounded, and few entries', async () => {
  const before = (await fixture.settled(namespace.hostname)).length
  const connections = Array.from({ length: 4 }, () => fixture.edge.connect(namespace))
  const path = `/flood/${'x'.repeat(250)}`
  const total = 50_000
  let biggest = 0
  for (let sent = 0; sent < total; ) {
    const some = connections.flatMap((connection) =>
      Array.from({ length: 250 }, (_, index) =>
        connection.call({ authority: namespace.hostname, path: `${path}`, headers: { 'x-request-id': String(index) } }),
      ),
    )
    await Promise.all(some)
    sent += some.length
    biggest = Math.max(biggest, bytesOfRefusals())
  }
  for (const connection of connections) connection.close()
  // The last window of folding is told when it ends.
  await until('all are told', () => repeatsOf(before) === total, 45_000)
  expect(fixture.told.slice(before).filter(({ operation }) => operation.startsWith('/flood')).length).toBeLessThan(12)
  expect(biggest).toBeLessThan(24 * 1024 * 1024)
  await until('what was read is gone', () => bytesOfRefusals() < 10 * 1024 * 1024)
}, 90_000)

function repeatsOf(after: number): number {
  const flood = fixture.told.slice(after).filter(({ operation }) => operation.startsWith('/flood'))
  return flood.reduce((sum, { repeats }) => sum + repeats, 0)
}

function bytesOfRefusals(): number {
  const folder = join(fixture.edge.dir, 'edge')
  const names = readdirSync(folder).filter((name) => name.startsWith('refusals'))
  return names.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}
