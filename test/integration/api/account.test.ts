import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let developer: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  developer = await api.newUser('aaaaa', 'developer')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

const read = async ({ token } = owner) => (await api.rest(token, 'GET', '/cloud/account')).body.account
const update = (spec: object | undefined, resourceVersion: string, { token } = owner, more: object = {}) =>
  api.rest(token, 'POST', '/cloud/account', { ...(spec === undefined ? {} : { spec }), resourceVersion, ...more })
const withCa = (pem: string) => ({ metrics: { acceptedClientCa: Buffer.from(pem).toString('base64') } })

test('the metrics’ client CA comes back byte for byte, and nil takes it away', async () => {
  expect(await read()).toMatchObject({ id: 'aaaaa', resourceVersion: '1', state: 'RESOURCE_STATE_ACTIVE', spec: {} })
  // Text around the certificates, and no newline at the end: as somebody's file is.
  const pem = `# our metrics\r\n${api.ca.trimEnd()}`
  expect((await update(withCa(pem), '1')).body.asyncOperation.state).toBe('STATE_FULFILLED')
  const account = await read()
  expect(account.spec).toEqual(withCa(pem))
  expect(account.resourceVersion).toBe('2')
  // Terraform forgets metrics that have no address.
  expect(account.metrics).toEqual({ uri: 'https://aaaaa.example.test/prometheus' })
  const overGrpc = await api.grpc(developer.token, 'GetAccount', {})
  expect(Buffer.from(overGrpc.account?.spec?.metrics?.acceptedClientCa ?? []).toString()).toBe(pem)

  expect((await update(withCa(pem), '2')).body).toMatchObject({
    code: 3,
    message: expect.stringContaining('nothing to change'),
  })
  expect((await update({}, '1')).body.code).toBe(status.FAILED_PRECONDITION)
  expect((await update({}, '')).body.code).toBe(status.INVALID_ARGUMENT)
  expect((await update(undefined, '2')).body.code).toBe(status.INVALID_ARGUMENT)
  expect((await update({}, '2', developer)).body.code).toBe(status.PERMISSION_DENIED)
  const more = { asyncOperationId: 'metrics-off' }
  const [first, second] = [await update({}, '2', owner, more), await update({}, '2', owner, more)]
  expect(second.body).toEqual(first.body)
  const off = await read()
  expect(off).toMatchObject({ resourceVersion: '3', spec: {} })
  expect(off).not.toHaveProperty('metrics')
  expect((await update({}, '3')).body.message).toContain('nothing to change')
})

test('an empty client CA turns metrics off, as none does', async () => {
  await update(withCa(api.ca), (await read()).resourceVersion)
  const { resourceVersion } = await read()
  expect((await update(withCa(''), resourceVersion)).body.asyncOperation.state).toBe('STATE_FULFILLED')
  const off = await read()
  expect(off).not.toHaveProperty('metrics')
  expect((await update({ metrics: {} }, off.resourceVersion)).body.message).toContain('nothing to change')
})

test('refuses a client CA that is no certificate', async () => {
  const answer = await update(withCa('hello'), (await read()).resourceVersion)
  expect(answer.body.code).toBe(status.INVALID_ARGUMENT)
  expect(answer.body.details[0].fieldViolations[0].field).toBe('spec.metrics.accepted_client_ca')
})

test('refuses bytes that are no text, and what is no CA bundle', async () => {
  const version = (await read()).resourceVersion
  const odd = { metrics: { acceptedClientCa: Buffer.from([0xff, 0xfe]).toString('base64') } }
  expect((await update(odd, version)).body.message).toContain('PEM')
  const twice = await update(withCa(`${api.ca}\n${api.ca}`), version)
  expect(twice.body.code).toBe(status.INVALID_ARGUMENT)
})

test('one account knows nothing of another', async () => {
  await update(withCa(api.ca), (await read()).resourceVersion)
  expect(await read(stranger)).toMatchObject({ id: 'bbbbb', spec: {} })
})
