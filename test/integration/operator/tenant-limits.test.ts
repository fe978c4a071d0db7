import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
beforeAll(async () => {
  listeners = await Listeners.start()
  const admin = new Client({ connectionString: listeners.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('aaaaa', 'A'), ('bbbbb', 'B')")
  await admin.end()
})
afterAll(() => listeners.close())

const url = (tenant = 'aaaaa') => `/operator/v1/tenants/${tenant}/limits`
const usual = {
  requestsPerSecond: 160,
  userRequestsPerSecond: 40,
  serviceAccountRequestsPerSecond: 80,
  operationsInFlight: 10,
}

test('a tenant is as fast as by default, until an operator says otherwise, and again after', async () => {
  expect(await listeners.call(url())).toMatchObject({ status: 200, body: { ...usual, set: {} } })
  const change = { requestsPerSecond: 1000, operationsInFlight: 50 }
  expect(await listeners.call(url(), { body: change })).toMatchObject({
    status: 200,
    body: { ...usual, ...change, set: change },
  })
  const { body } = await listeners.call('/operator/v1/tenants/aaaaa')
  expect(body.limits).toEqual({ ...usual, ...change, set: change })
  expect(listeners.logged).toContain('operationsInFlight')
  expect((await listeners.call(url('bbbbb'))).body.set).toEqual({})
  // It replaces what was set.
  expect((await listeners.call(url(), { body: { operationsInFlight: 20 } })).body.set).toEqual({
    operationsInFlight: 20,
  })
  expect((await listeners.call(url(), { body: {} })).body).toEqual({ ...usual, set: {} })
})

test.each([
  [{ requestsPerSecond: 0 }],
  [{ operationsInFlight: -1 }],
  [{ userRequestsPerSecond: 1.5 }],
  [{ userRequestsPerSecond: '40' }],
  [{ userRequestsPerSecond: null }],
  [{ requestsPerSecond: 1_000_001 }],
  [{ requests: 5 }],
  [{ set: {} }],
])('%j is refused, and changes nothing', async (body) => {
  expect(await listeners.call(url(), { body })).toMatchObject({ status: 400, body: { code: 3 } })
  expect((await listeners.call(url())).body.set).toEqual({})
})

test('of a tenant that is not there, and by somebody who is no operator, nothing is seen or set', async () => {
  expect((await listeners.call(url('zzzzz'))).status).toBe(404)
  expect((await listeners.call(url('zzzzz'), { body: { operationsInFlight: 20 } })).status).toBe(404)
  const stranger = await listeners.operator('eve', { record: false })
  const attempt = { identity: stranger, body: { requestsPerSecond: 5 } }
  expect((await listeners.call(url(), attempt)).status).toBe(401)
  expect((await listeners.call(url())).body.set).toEqual({})
})

test('there are no dry runs here, and nobody is left to believe in one', async () => {
  const headers = { 'x-aqueduct-dry-run': 'true' }
  const refused = { status: 400, body: { code: 3, message: expect.stringContaining('x-aqueduct-dry-run') } }
  expect(await listeners.call(url(), { body: { operationsInFlight: 20 }, headers })).toMatchObject(refused)
  expect((await listeners.call(url(), { headers })).body.set).toEqual({})
  const off = { 'x-aqueduct-dry-run': 'false' }
  expect((await listeners.call(url(), { body: {}, headers: off })).status).toBe(200)
  const stranger = await listeners.operator('mallory', { record: false })
  expect((await listeners.call(url(), { body: {}, headers, identity: stranger })).status).toBe(401)
})
