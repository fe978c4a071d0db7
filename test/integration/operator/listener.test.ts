import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAuthority } from '#libs/keyring'
import { createCertificateAuthority } from '#libs/pki'
import { openapiFindings } from '../../harness/openapi-findings.ts'
import { type Call, Listeners } from './listener.ts'

let listeners: Listeners
let tenant: { readonly id: string; readonly apiKey: string }
beforeAll(async () => {
  listeners = await Listeners.start()
  tenant = await listeners.tenant('tenant@example.com')
})
afterAll(() => listeners.close())

const tenants = '/operator/v1/tenants'
const unauthenticated = { status: 401, body: { code: 16 } }
const versions = ['TLSv1.3', 'TLSv1.2'] as const

test.each(versions)(
  'without a certificate of the operator CA nobody gets past the %s handshake',
  async (maxVersion) => {
    const stranger = await createCertificateAuthority({ commonName: 'Stranger', validityDays: 1 })
    const issued = await listeners.call(`${tenants}/${tenant.id}/certificates`, { body: { commonName: 'operator' } })
    const tenantCa = await openAuthority(listeners.database.all, listeners.sealer, {
      purpose: 'tenant',
      tenantId: tenant.id,
    })
    const identities = {
      nobody: undefined,
      'another CA': await listeners.operator('ada', { issuer: stranger }),
      'the tenant CA, with the name of an operator': await listeners.operator('ada', { issuer: tenantCa }),
      'a tenant': { cert: issued.body.certificate, key: issued.body.privateKey },
    }
    for (const [who, identity] of Object.entries(identities)) {
      const headers = { authorization: `Bearer ${tenant.apiKey}` }
      const call: Call = { identity, headers, tls: { maxVersion, agent: false } }
      await expect(listeners.call(tenants, call), who).rejects.toThrow(
        /alert|ECONNRESET|EPIPE|socket hang up|disconnected/i,
      )
    }
  },
)

test.each([
  ['no URI', []],
  ['another URI', ['aqueduct://cells/ada']],
  ['a name that is none', ['aqueduct://operators/Ada/../root']],
  ['two names', ['aqueduct://operators/ada', 'aqueduct://operators/bob']],
])('a certificate of the operator CA with %s is refused', async (_what, uris) => {
  const identity = await listeners.operator('ada', { uris })
  expect(await listeners.call(tenants, { identity })).toMatchObject(unauthenticated)
})

test('a certificate of the operator CA that is not in the rows is refused', async () => {
  const identity = await listeners.operator('ada', { record: false })
  expect(await listeners.call(tenants, { identity })).toMatchObject(unauthenticated)
  expect((await listeners.call('/healthz', { identity })).status).toBe(200)
})

test.each(versions)(
  'a revoked operator is refused on a connection that is open, and on a resumed session (%s)',
  async (maxVersion) => {
    const identity = await listeners.operator('bob')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const call: Call = { identity, tls: { maxVersion, agent } }
    expect((await listeners.call(tenants, call)).status).toBe(200)
    expect((await listeners.call(tenants, { ...call, headers: { connection: 'close' } })).status).toBe(200)
    expect(await listeners.call(tenants, call)).toMatchObject({ status: 200, resumed: true })
    await listeners.call(`/operator/v1/certificates/${identity.id}/revoke`, { method: 'POST' })
    for (const path of [tenants, '/no/such/path', '/openapi.json', '/docs/']) {
      const headers = { authorization: `Bearer ${tenant.apiKey}` }
      expect(await listeners.call(path, { ...call, headers }), path).toMatchObject(unauthenticated)
    }
    agent.destroy()
    expect(await listeners.call(tenants, { identity, tls: { maxVersion } })).toMatchObject(unauthenticated)
  },
)

test.each<[string, Call & { readonly path?: string }, string]>([
  ['an unknown field', { body: { commonName: 'a', surprise: 1 } }, 'surprise'],
  ['a number for a text', { body: { commonName: 7 } }, 'commonName'],
  ['a missing field', { body: {} }, 'commonName'],
  ['a text for a number', { body: { commonName: 'a', validityDays: '90' } }, 'validityDays'],
  ['too many days', { body: { commonName: 'a', validityDays: 826 } }, 'validityDays'],
  ['a name of spaces', { body: { commonName: ' ' } }, 'commonName'],
  ['a CSR that is none', { body: { commonName: 'a', csr: 'hello' } }, 'csr'],
  ['a huge body', { body: { commonName: 'a'.repeat(1024 * 1024) } }, 'body'],
  ['no JSON', { body: '{"commonName": aqinv_secret' }, 'body'],
  ['no body', { method: 'POST' }, 'body'],
  ['a body for a call without one', { path: '/resume', body: { reason: 'x' } }, 'reason'],
])('%s is INVALID_ARGUMENT, and the field is named', async (_what, call, field) => {
  const answer = await listeners.call(`${tenants}/${tenant.id}${call.path ?? '/certificates'}`, call)
  expect(answer).toMatchObject({ status: 400, body: { code: 3 } })
  expect(answer.body.details[0].fieldViolations).toMatchObject([{ field }])
  expect(JSON.stringify(answer.body)).not.toContain('aqinv_secret')
})

test.each<[string, readonly string[], string | undefined]>([
  ['RSA of 1024 bits', ['rsa:1024'], 'csr'],
  ['RSA of 2048 bits', ['rsa:2048'], undefined],
  ['ECDSA on P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], undefined],
])('a CSR with %s', async (_what, key, field) => {
  const folder = mkdtempSync(join(tmpdir(), 'csr-'))
  try {
    const out = join(folder, 'csr.pem')
    const rest = ['-nodes', '-keyout', '/dev/null', '-subj', '/CN=wished', '-out', out]
    execFileSync('openssl', ['req', '-new', '-newkey', ...key, ...rest], { stdio: 'ignore' })
    const csr = readFileSync(out, 'utf8')
    const answer = await listeners.call(`${tenants}/${tenant.id}/certificates`, { body: { csr, commonName: 'given' } })
    if (field === undefined) {
      expect(answer.status).toBe(200)
      expect(answer.body).not.toHaveProperty('privateKey')
      const { body } = await listeners.call(`/operator/v1/certificates/${answer.body.id}`)
      expect(body).toMatchObject({
        commonName: 'given',
        tenantId: tenant.id,
        issuedBy: 'ada',
        purpose: 'tenant_client',
      })
    } else {
      expect(answer).toMatchObject({ status: 400, body: { code: 3 } })
      expect(answer.body.details[0].fieldViolations).toMatchObject([{ field }])
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what is not there is NOT_FOUND', async () => {
  for (const path of ['tenants/zzzzz', 'tenants/zzzzz/ca', 'certificates/x', 'cells/x', 'nodes/x', 'nothing']) {
    expect(await listeners.call(`/operator/v1/${path}`), path).toMatchObject({ status: 404, body: { code: 5 } })
  }
  const body = { commonName: 'a' }
  expect((await listeners.call(`${tenants}/zzzzz/certificates`, { body })).status).toBe(404)
})

test('pages of any size hold every certificate once, also those of one instant', async () => {
  const issue = () => listeners.call(`${tenants}/${tenant.id}/certificates`, { body: { commonName: 'page' } })
  await Promise.all(Array.from({ length: 6 }, issue))
  const all: string[] = []
  let token = ''
  do {
    const page = await listeners.call(`/operator/v1/certificates?pageSize=2${token}`)
    expect(page.status).toBe(200)
    all.push(...page.body.certificates.map((each: { id: string }) => each.id))
    token = page.body.nextPageToken === '' ? '' : `&pageToken=${page.body.nextPageToken}`
  } while (token !== '')
  const { certificates } = (await listeners.call('/operator/v1/certificates')).body
  expect(all).toEqual(certificates.map((each: { id: string }) => each.id))
  expect(new Set(all).size).toBe(all.length)
})

test('a page token is good for its list and filter only', async () => {
  await listeners.tenant('second@example.com')
  const first = (await listeners.call(`${tenants}?pageSize=1`)).body
  const next = (await listeners.call(`${tenants}?pageSize=1&pageToken=${first.nextPageToken}`)).body
  expect(next.tenants[0].id > first.tenants[0].id).toBe(true)
  for (const path of ['cells', `certificates?tenantId=${tenant.id}`, 'tenants?pageSize=0001&x=y']) {
    const glue = path.includes('?') ? '&' : '?'
    const answer = await listeners.call(`/operator/v1/${path}${glue}pageToken=${first.nextPageToken}`)
    expect(answer, path).toMatchObject({ status: 400, body: { code: 3 } })
  }
  const forged = await listeners.call(`${tenants}?pageToken=abc`)
  expect(forged.body.details[0].fieldViolations).toMatchObject([{ field: 'pageToken' }])
})

test('shows cells, nodes and operations, and none of their secrets', async () => {
  const { all } = listeners.database
  const admin = await adminOf(listeners)
  await admin(`insert into cells (id, region, driver, namespace_limit, history_shards, server_version, database_name,
    database_password_sealed, conditions) values ('cell-1', 'aws-us-east-1', 'local', 10, 4, '1.32.2', 'cell_1',
    'sealed-password', '{"Ready": {"status": "true"}}')`)
  await admin(
    `insert into nodes (id, cell_id, driver, address, observed) values ('node-1', 'cell-1', 'local', '127.9.0.1', '{"join": "secret-join"}')`,
  )
  await admin(`insert into namespaces (id, tenant_id, name, region, spec, cell_id, created_by)
    values ('pay.${tenant.id}', '${tenant.id}', 'pay', 'aws-us-east-1', '{}', 'cell-1', 'usr-1')`)
  await admin(`insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, state, waiting_for, requested_by, deadline_at)
    values ('${tenant.id}', 'op-1', 'CreateNamespace', 'h', 'request-bytes', 'namespace', 'pay.${tenant.id}', 'pending', 'a cell', 'usr-1', now()),
           ('${tenant.id}', 'op-2', 'DeleteNamespace', 'h', 'request-bytes', 'namespace', 'pay.${tenant.id}', 'fulfilled', '', 'usr-1', now())`)
  expect(await all.selectFrom('cells').select('id').execute()).toHaveLength(1)

  const cell = { id: 'cell-1', namespaces: 1, namespaceLimit: 10, conditions: { Ready: { status: 'true' } } }
  const cells = await listeners.call('/operator/v1/cells')
  expect(cells.body).toMatchObject({ cells: [cell], nextPageToken: '' })
  expect((await listeners.call('/operator/v1/cells/cell-1')).body).toMatchObject(cell)
  const nodes = await listeners.call('/operator/v1/nodes?cellId=cell-1')
  expect(nodes.body).toMatchObject({ nodes: [{ id: 'node-1', address: '127.9.0.1', state: 'creating' }] })
  expect((await listeners.call('/operator/v1/nodes/node-1')).body).toMatchObject({ cellId: 'cell-1' })
  expect((await listeners.call('/operator/v1/nodes?cellId=cell-2')).body).toEqual({ nodes: [] })
  const open = await listeners.call('/operator/v1/operations?open=true')
  expect(open.body.operations).toMatchObject([{ id: 'op-1', waitingFor: 'a cell', tenantId: tenant.id }])
  const first = await listeners.call('/operator/v1/operations?pageSize=1')
  const second = await listeners.call(`/operator/v1/operations?pageSize=1&pageToken=${first.body.nextPageToken}`)
  expect([...first.body.operations, ...second.body.operations].map(({ id }) => id).sort()).toEqual(['op-1', 'op-2'])
  expect(second.body.nextPageToken).toBe('')
  for (const { body } of [cells, nodes, open]) expect(JSON.stringify(body)).not.toMatch(/sealed|secret|request-bytes/)
})

test('its OpenAPI document is made of its routes, and asks for a client certificate', async () => {
  const { body } = await listeners.call('/operator/v1/openapi.json')
  expect(await openapiFindings(JSON.stringify(body))).toEqual([])
  expect(body.openapi).toMatch(/^3\.1/)
  expect(Object.keys(body.paths)).toContain('/operator/v1/waitlist/{id}/approve')
  expect(Object.keys(body.paths).every((path) => path.startsWith('/operator/v1/'))).toBe(true)
  expect(body.components.securitySchemes).toMatchObject({ mutualTls: { type: 'mutualTLS' } })
})

test('answers for its health', async () => {
  expect((await listeners.call('/healthz')).status).toBe(200)
  expect((await listeners.call('/readyz')).status).toBe(200)
})

async function adminOf({ adminUrl }: Listeners) {
  const { Client } = await import('pg')
  return async (statement: string) => {
    const client = new Client({ connectionString: adminUrl })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
}
