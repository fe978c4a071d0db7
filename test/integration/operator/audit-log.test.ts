import { afterAll, beforeAll, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
beforeAll(async () => {
  listeners = await Listeners.start()
})
afterAll(() => listeners.close())

/** Entries since the call before. */
let seen = 0
async function news() {
  const all = await listeners.auditEntries()
  const fresh = all.slice(seen)
  seen = all.length
  return fresh
}

test('every step from the waitlist to a certificate is an entry, in its transaction, with who and what', async () => {
  await news()
  const tenant = await listeners.tenant('ada@example.com')
  const post = (path: string, body?: object) =>
    listeners.call(`/operator/v1/${path}`, { method: 'POST', ...(body === undefined ? {} : { body }) })
  await post(`tenants/${tenant.id}/suspend`, { reason: 'unpaid' })
  await post(`tenants/${tenant.id}/resume`)
  await post(`tenants/${tenant.id}/limits`, { requestsPerSecond: 7 })
  const issued = await post(`tenants/${tenant.id}/certificates`, { commonName: 'worker' })
  await post(`certificates/${issued.body.id}/revoke`)
  const entries = await news()
  expect(entries.map(({ interface: way, operation, outcome, chain }) => [way, operation, outcome, chain])).toEqual([
    ['signup', 'POST /v1/waitlist', 'OK', '_fleet'],
    ['operator', 'POST /operator/v1/waitlist/:id/approve', 'OK', '_fleet'],
    ['signup', 'POST /v1/invitations/accept', 'OK', tenant.id],
    ['operator', 'POST /operator/v1/tenants/:id/suspend', 'OK', '_fleet'],
    ['operator', 'POST /operator/v1/tenants/:id/resume', 'OK', '_fleet'],
    ['operator', 'POST /operator/v1/tenants/:id/limits', 'OK', '_fleet'],
    ['operator', 'POST /operator/v1/tenants/:id/certificates', 'OK', '_fleet'],
    ['operator', 'POST /operator/v1/certificates/:id/revoke', 'OK', '_fleet'],
  ])
  expect(entries[1]).toMatchObject({
    principal_type: 'operator',
    principal_id: 'ada',
    credential_kind: 'certificate',
    credential_id: expect.stringMatching(/^[0-9a-f]{64}$/),
    source_address: '127.0.0.1',
    recorded_by: 'aqueduct_operator',
    target: { invitationId: expect.stringMatching(/^inv-/) },
    request_id: expect.stringMatching(/./),
  })
  expect(entries[2]).toMatchObject({
    principal_type: 'user',
    principal_name: 'ada@example.com',
    credential_kind: 'invitation',
    recorded_by: 'aqueduct_signup',
  })
  expect(entries[3]).toMatchObject({ target: { id: tenant.id, reason: 'unpaid' } })
  expect(entries[6]).toMatchObject({ target: { id: tenant.id, certificateId: issued.body.id } })
  const written = JSON.stringify(entries)
  for (const secret of [listeners.lastToken(), tenant.apiKey, issued.body.privateKey.split('\n')[1]]) {
    expect(written).not.toContain(secret)
  }
})

test('refusals say who, as far as it is known', async () => {
  await news()
  await listeners.call('/operator/v1/tenants/none/suspend', { method: 'POST', body: { reason: 'x' } })
  await listeners.call('/operator/v1/tenants/none/suspend', { method: 'POST', body: {} })
  await listeners.call('/operator/v1/tenants/none')
  await listeners.call('/operator/v1/tenants')
  const stranger = await listeners.operator('eve', { record: false })
  await listeners.call('/operator/v1/tenants', { identity: stranger })
  await listeners.call('/operator/v1/tenants', { identity: undefined }).catch(() => undefined)
  const entries = await news()
  expect(entries).toMatchObject([
    { outcome: 'NOT_FOUND', principal_id: 'ada', target: { id: 'none' } },
    { outcome: 'INVALID_ARGUMENT', principal_id: 'ada' },
    { outcome: 'NOT_FOUND', principal_id: 'ada', operation: 'GET /operator/v1/tenants/:id' },
    { outcome: 'UNAUTHENTICATED', principal_type: 'anonymous', credential_id: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { outcome: 'UNAUTHENTICATED', operation: 'TLS handshake', principal_type: 'anonymous', credential_id: '' },
  ])
})

test('there is no change on this listener whose refusal is not written down', async () => {
  const changes = (await listeners.call('/operator/v1/openapi.json')).body.paths as Record<
    string,
    Record<string, unknown>
  >
  const routes = Object.entries(changes).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'get')
      .map((method) => [method.toUpperCase(), path] as const),
  )
  expect(routes.length).toBeGreaterThan(8)
  await news()
  for (const [method, path] of routes) {
    const url = path.replaceAll(/\{\w+\}/g, 'nothing')
    await listeners.call(
      url.startsWith('/operator') ? url : `/operator/v1${url}`,
      method === 'DELETE' ? { method } : { method, body: {} },
    )
  }
  const operations = (await news()).map(({ operation }) => operation.replaceAll(/:(\w+)/g, '{$1}'))
  for (const [method, path] of routes) {
    expect(operations).toContain(`${method} ${path.startsWith('/operator') ? path : `/operator/v1${path}`}`)
  }
})

test('operators read all of it: by tenant, principal and time, newest first, page by page', async () => {
  const all = await listeners.auditEntries()
  const list = async (query: string) => {
    const { status, body } = await listeners.call(`/operator/v1/audit-log?${query}`)
    expect(status).toBe(200)
    return body as { entries: Record<string, unknown>[]; nextPageToken: string }
  }
  const ids: unknown[] = []
  let pageToken = ''
  do {
    const page = await list(`pageSize=4${pageToken === '' ? '' : `&pageToken=${encodeURIComponent(pageToken)}`}`)
    ids.push(...page.entries.map(({ id }) => id))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(all.length)
  const tenantId = all.find(({ tenant_id: id }) => id !== null)?.tenant_id
  const ofTenant = await list(`tenantId=${tenantId}`)
  expect(ofTenant.entries).toMatchObject([{ tenantId, operation: 'POST /v1/invitations/accept', sequence: 1 }])
  const ofAda = await list('principalId=ada&pageSize=1000')
  expect(ofAda.entries).toHaveLength(all.filter(({ principal_id: id }) => id === 'ada').length)
  const middle = all[4]?.emit_time.toISOString()
  const [before, after] = [
    await list(`endTime=${middle}&pageSize=1000`),
    await list(`startTime=${middle}&pageSize=1000`),
  ]
  expect(before.entries.length + after.entries.length).toBe(all.length)
  expect(before.entries.length).toBeGreaterThan(0)
})
