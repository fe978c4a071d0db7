import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { ownCa } from './certificates.ts'
import { CloudApi } from './cloud-api.ts'
import {
  type Credentials,
  code,
  describeMessage,
  describeThrough,
  edgeConnection,
  headersOf,
  outcome,
  signalThrough,
  workflowService,
} from './edge.ts'
import { createNamespace, mtlsAuth, type Namespace, namespaceSpec } from './namespace.ts'
import { operator } from './operator.ts'
import {
  accessOf,
  createKey,
  createServiceAccount,
  issueCertificate,
  type Permission,
  signUp,
  type Tenant,
} from './tenant.ts'
import { measurements, withinPromise } from './within.ts'

/** What changes at the API acts at the edge and at the API within the promised time: measured each time. */
let tenant: Tenant
let namespace: Namespace

beforeAll(async () => {
  tenant = await signUp('Changes')
  namespace = await createNamespace(tenant, { ca: (await issueCertificate(tenant, 'first')).ca })
})

afterAll(() => console.log(measurements()))

/** The outcome of a call that a reader may make, on a new connection each time. */
function reads(credentials: Credentials, at = namespace) {
  return () => outcome(describeThrough(at, credentials))
}

/** The outcome of a call that takes `write`: NOT_FOUND for who has it. */
function writes(credentials: Credentials) {
  return () => outcome(signalThrough(namespace, credentials))
}

/** Of a key at the API. */
function identifies(token: string) {
  return async () => (await new CloudApi(token).answer('GET', '/cloud/current-identity')).status
}

/** A connection that has carried a call: whether it was closed since, or refuses. */
async function openConnection(credentials: Credentials) {
  const open = await edgeConnection(namespace, credentials)
  const message = describeMessage(namespace.id)
  const headers = headersOf(credentials)
  const call = { authority: namespace.hostname, path: `${workflowService}/DescribeNamespace`, message, headers }
  expect((await open.call(call)).grpcStatus).toBe(code.ok)
  return {
    close: () => open.close(),
    carries: async () => !open.closed && (await outcome(open.call(call))) === code.ok,
  }
}

describe('credentials', () => {
  test('a revoked certificate: new connections and open ones', async () => {
    const identity = await issueCertificate(tenant, 'to be revoked')
    const open = await openConnection({ identity })
    const change = () => operator('POST', `/certificates/${identity.id}/revoke`)
    await withinPromise('a certificate is revoked', {
      change,
      ask: reads({ identity }),
      from: code.ok,
      to: code.denied,
    })
    await until('its open connection carries nothing', async () => !(await open.carries()), 1_000)
    open.close()
    expect(await reads({ identity: await issueCertificate(tenant, 'not revoked') })()).toBe(code.ok)
  })

  test('a key: made, disabled, enabled, deleted', async () => {
    const { token, path } = await createKey(tenant)
    await until('a new key works', async () => (await reads({ token })()) === code.ok, 5_000)
    const open = await openConnection({ token })
    const set = (disabled: boolean) => () => tenant.api.update(path, { disabled })
    const remove = () => tenant.api.delete(path)
    const edge = { ask: reads({ token }), from: code.ok, to: code.unauthenticated }
    const back = { ask: edge.ask, from: edge.to, to: edge.from }
    await withinPromise('a key is disabled', { change: set(true), ...edge })
    await until('its open connection carries nothing', async () => !(await open.carries()), 1_000)
    open.close()
    expect(await identifies(token)(), 'a disabled key at the API').toBe(401)
    await withinPromise('a key is enabled', { change: set(false), ...back })
    expect(await identifies(token)()).toBe(200)
    await withinPromise('a key is deleted', { change: remove, ...edge })
    expect(await identifies(token)(), 'a deleted key at the API').toBe(401)
  })

  test('a key is refused at the API at once', async () => {
    const { token, path } = await createKey(tenant)
    const api = { ask: identifies(token), from: 200, to: 401 }
    await withinPromise('a key is deleted, at the API', { change: () => tenant.api.delete(path), ...api })
  })

  test('a service account: from read to write and back, without anything, and gone', async () => {
    const account = await createServiceAccount(tenant, 'robot', { [namespace.id]: 'READ' })
    const { token } = await createKey(tenant, account)
    await until('it reads', async () => (await reads({ token })()) === code.ok, 5_000)
    const grant = (permission?: Permission) => () =>
      tenant.api.update(account.path, {
        access: accessOf(permission === undefined ? {} : { [namespace.id]: permission }),
      })
    const [denied, allowed] = [code.denied, code.notFound]
    const write = { ask: writes({ token }) }
    await withinPromise('read to write', { change: grant('WRITE'), ...write, from: denied, to: allowed })
    await withinPromise('write to read', { change: grant('READ'), ...write, from: allowed, to: denied })
    const read = { ask: reads({ token }) }
    await withinPromise('read to nothing', { change: grant(), ...read, from: code.ok, to: denied })
    await withinPromise('nothing to admin', { change: grant('ADMIN'), ...read, from: denied, to: code.ok })
    const remove = () => tenant.api.delete(account.path)
    const gone = { ask: async () => (await read.ask()) === code.ok, from: true, to: false }
    await withinPromise('a service account is deleted', { change: remove, ...gone })
    expect(await identifies(token)()).toBe(401)
  })

  test('a key that expires', async () => {
    const { token } = await createKey(tenant, undefined, 3_000)
    await until('it works', async () => (await reads({ token })()) === code.ok, 2_000)
    await until('the API sees that it has expired', async () => (await identifies(token)()) === 401)
    // The edge allows clocks to differ by five seconds.
    await until('so does the edge', async () => (await reads({ token })()) === code.unauthenticated)
  })
})

describe('the namespace', () => {
  test('a CA of the tenant’s own, beside the managed one, and instead of it', async () => {
    const ca = await ownCa('Analytical Root')
    const identity = await ca.issue('worker of their own')
    const managed = await issueCertificate(tenant, 'managed')
    const trust = (pem: string) => () => tenant.api.update(namespace.path, { mtlsAuth: mtlsAuth(pem) })
    const both = `${managed.ca}${ca.pem}`
    const own = { ask: reads({ identity }), from: 'none', to: code.ok } as const
    await withinPromise('a CA is added', { change: trust(both), ...own })
    const open = await openConnection({ identity: managed })
    const other = { ask: reads({ identity: managed }), from: code.ok, to: 'none' } as const
    await withinPromise('a CA is removed', { change: trust(ca.pem), ...other })
    await until('its open connections carry nothing', async () => !(await open.carries()), 2_000)
    open.close()
    expect(await reads({ identity })()).toBe(code.ok)
    // Byte for byte, since clients compare.
    const acceptedClientCa = Buffer.from(ca.pem).toString('base64')
    expect(await tenant.api.get(namespace.path)).toMatchObject({
      namespace: { spec: { mtlsAuth: { acceptedClientCa } } },
    })
  })

  test('filters on certificates', async () => {
    const ca = await ownCa('Filtered')
    const [right, wrong] = [await ca.issue('right'), await ca.issue('wrong')]
    await tenant.api.update(namespace.path, { mtlsAuth: mtlsAuth(ca.pem) })
    const change = () => tenant.api.update(namespace.path, { mtlsAuth: mtlsAuth(ca.pem, [{ commonName: 'right' }]) })
    const ask = reads({ identity: wrong })
    await withinPromise('a filter is set', { change, ask, from: code.ok, to: code.denied })
    expect(await reads({ identity: right })()).toBe(code.ok)
  })

  test('API keys off, and on again', async () => {
    const ask = reads({ token: tenant.api.token })
    const set = (enabled: boolean) => () => tenant.api.update(namespace.path, { apiKeyAuth: { enabled } })
    const [on, off] = [code.ok, code.unauthenticated]
    await withinPromise('API keys off', { change: set(false), ask, from: on, to: off })
    await withinPromise('API keys on', { change: set(true), ask, from: off, to: on })
  })

  test('delete protection holds; without it the namespace goes, and its id never returns', async () => {
    const ca = await ownCa('Short life')
    const identity = await ca.issue('worker')
    const spec = { lifecycle: { enableDeleteProtection: true } }
    const doomed = await createNamespace(tenant, { name: 'doomed', ca: ca.pem, spec })
    const refused = await tenant.api.answer('DELETE', await tenant.api.deletion(doomed.path))
    expect(refused).toMatchObject({
      status: 400,
      json: { code: 9, message: expect.stringContaining('delete protection') },
    })
    expect(await reads({ identity }, doomed)()).toBe(code.ok)
    await tenant.api.update(doomed.path, { lifecycle: { enableDeleteProtection: false } })

    const change = () => tenant.api.delete(doomed.path)
    await withinPromise('a namespace is deleted', {
      change,
      ask: reads({ identity }, doomed),
      from: code.ok,
      to: 'none',
    })
    expect((await tenant.api.answer('GET', doomed.path)).status).toBe(404)
    expect(await reads({ token: tenant.api.token }, doomed)()).toBe('none')
    const again = await tenant.api.answer('POST', '/cloud/namespaces', { spec: namespaceSpec({ name: 'doomed' }) })
    expect(again).toMatchObject({ status: 409, json: { code: 6 } })
  })
})

describe('a suspended tenant', () => {
  test('is refused at the API and at the edge, keeps everything, and goes on when resumed', async () => {
    const suspended = await signUp('Suspended')
    const identity = await issueCertificate(suspended, 'worker')
    const theirs = await createNamespace(suspended, { ca: identity.ca })
    const { token } = suspended.api
    const before = await suspended.api.get(theirs.path)
    const suspend = () => operator('POST', `/tenants/${suspended.id}/suspend`, { reason: 'the invoice is not paid' })
    const resume = () => operator('POST', `/tenants/${suspended.id}/resume`)
    const [certificate, key] = [reads({ identity }, theirs), reads({ token }, theirs)]

    await withinPromise('a tenant is suspended', { change: suspend, ask: certificate, from: code.ok, to: code.denied })
    expect(await key(), 'with a key').toBe(code.denied)
    expect(await suspended.api.answer('GET', theirs.path)).toMatchObject({
      status: 403,
      json: { code: 7, message: expect.stringContaining('the invoice is not paid') },
    })
    expect(await reads({ token: tenant.api.token })(), 'another tenant').toBe(code.ok)

    await withinPromise('a tenant is resumed', { change: resume, ask: certificate, from: code.denied, to: code.ok })
    expect(await key(), 'with a key').toBe(code.ok)
    expect(await suspended.api.get(theirs.path)).toEqual(before)
  })
})
