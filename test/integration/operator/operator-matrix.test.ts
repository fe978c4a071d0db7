import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCertificateAuthority } from '#libs/pki'
import { type Call, type Identity, Listeners } from './listener.ts'

const golden = new URL('operator-matrix.golden.txt', import.meta.url)

let listeners: Listeners
let tenantId: string
let callers: Readonly<Record<string, Caller>>
beforeAll(async () => {
  listeners = await Listeners.start()
  const tenant = await listeners.tenant('tenant@example.com')
  tenantId = tenant.id
  callers = await makeCallers()
})
afterAll(() => listeners.close())

interface Caller {
  readonly name: string
  readonly identity: Identity | undefined
}

/** The columns. */
async function makeCallers(): Promise<Readonly<Record<string, Caller>>> {
  const { body } = await listeners.call(`/operator/v1/tenants/${tenantId}/certificates`, {
    body: { commonName: 'ada' },
  })
  const stranger = await createCertificateAuthority({ commonName: 'Stranger', validityDays: 1 })
  const revoked = await listeners.operator('rhea')
  await listeners.call(`/operator/v1/certificates/${revoked.id}/revoke`, { method: 'POST' })
  const deleted = await listeners.operator('dora')
  await listeners.call('/operator/v1/operators/dora?resourceVersion=1', { method: 'DELETE' })
  await listeners.database.all
    .updateTable('certificates')
    .set({ revoked_at: null })
    .where('id', '=', deleted.id)
    .execute()
  return {
    none: { name: 'nobody', identity: undefined },
    otherCA: { name: 'ada', identity: await listeners.operator('ada', { issuer: stranger }) },
    tenant: { name: 'ada', identity: { cert: body.certificate, key: body.privateKey } },
    revoked: { name: 'rhea', identity: revoked },
    expired: { name: 'egon', identity: await listeners.operator('egon', { until: new Date(Date.now() - 60_000) }) },
    deleted: { name: 'dora', identity: deleted },
    viewer: { name: 'vera', identity: await listeners.operator('vera', { role: 'viewer' }) },
    support: { name: 'sue', identity: await listeners.operator('sue', { role: 'support' }) },
    admin: { name: 'adam', identity: await listeners.operator('adam') },
  }
}

interface Row {
  /** As the router has it, and what is special about this call of it. */
  readonly route: string
  readonly of?: string
  /** The call itself, well-formed: what is refused is the caller. Targets that are not there answer 404 to who may. */
  readonly call: (
    caller: Caller,
  ) => Promise<{ readonly path: string; readonly body?: object }> | { readonly path: string; readonly body?: object }
}

const api = '/operator/v1'
const plain = (path: string, body?: object) => () => ({ path, ...(body === undefined ? {} : { body }) })
let made = 0

async function certificateOf(path: string, body: object): Promise<string> {
  return (await listeners.call(`${api}${path}/certificates`, { body })).body.id
}

const rows: readonly Row[] = [
  { route: 'GET /healthz', call: plain('/healthz') },
  { route: 'GET /readyz', call: plain('/readyz') },
  { route: 'GET /openapi.json', call: plain('/openapi.json') },
  { route: `GET ${api}/openapi.json`, call: plain(`${api}/openapi.json`) },
  { route: `GET ${api}/waitlist`, call: plain(`${api}/waitlist`) },
  { route: `POST ${api}/waitlist/:id/approve`, call: plain(`${api}/waitlist/wl-none/approve`) },
  { route: `POST ${api}/waitlist/:id/reject`, call: plain(`${api}/waitlist/wl-none/reject`) },
  { route: `GET ${api}/tenants`, call: plain(`${api}/tenants`) },
  { route: `GET ${api}/tenants/:id`, call: () => ({ path: `${api}/tenants/${tenantId}` }) },
  { route: `POST ${api}/tenants/:id/suspend`, call: plain(`${api}/tenants/zzzzz/suspend`, { reason: 'a reason' }) },
  { route: `POST ${api}/tenants/:id/resume`, call: () => ({ path: `${api}/tenants/${tenantId}/resume` }) },
  { route: `GET ${api}/tenants/:id/ca`, call: () => ({ path: `${api}/tenants/${tenantId}/ca` }) },
  {
    route: `POST ${api}/tenants/:id/certificates`,
    call: () => ({ path: `${api}/tenants/${tenantId}/certificates`, body: { commonName: 'worker' } }),
  },
  { route: `GET ${api}/tenants/:id/limits`, call: () => ({ path: `${api}/tenants/${tenantId}/limits` }) },
  { route: `POST ${api}/tenants/:id/limits`, call: () => ({ path: `${api}/tenants/${tenantId}/limits`, body: {} }) },
  {
    route: `POST ${api}/tenants/:id/invite-user`,
    call: () => ({ path: `${api}/tenants/${tenantId}/invite-user`, body: { email: 'nobody@example.com' } }),
  },
  {
    route: `POST ${api}/tenants/:id/invite-user`,
    call: () => ({ path: `${api}/tenants/${tenantId}/invite-user`, body: { email: 'nobody@example.com' } }),
  },
  { route: `GET ${api}/certificates`, call: plain(`${api}/certificates`) },
  { route: `GET ${api}/certificates/:id`, call: plain(`${api}/certificates/cert-none`) },
  {
    route: `POST ${api}/certificates/:id/revoke`,
    of: 'of a tenant',
    call: async () => ({
      path: `${api}/certificates/${await certificateOf(`/tenants/${tenantId}`, { commonName: 'w' })}/revoke`,
    }),
  },
  {
    route: `POST ${api}/certificates/:id/revoke`,
    of: 'of an operator',
    call: async () => ({ path: `${api}/certificates/${await certificateOf('/operators/vera', {})}/revoke` }),
  },
  { route: `GET ${api}/operators`, call: plain(`${api}/operators`) },
  { route: `GET ${api}/operators/:name`, call: plain(`${api}/operators/ada`) },
  {
    route: `POST ${api}/operators`,
    call: () => {
      made += 1
      return { path: `${api}/operators`, body: { name: `made-${made}`, role: 'viewer' } }
    },
  },
  {
    route: `POST ${api}/operators/:name/role`,
    call: plain(`${api}/operators/nobody/role`, { role: 'admin', resourceVersion: '1' }),
  },
  {
    route: `POST ${api}/operators/:name/role`,
    of: 'its own',
    call: ({ name }) => ({ path: `${api}/operators/${name}/role`, body: { role: 'admin', resourceVersion: '7' } }),
  },
  { route: `DELETE ${api}/operators/:name`, call: plain(`${api}/operators/nobody?resourceVersion=1`) },
  { route: `GET ${api}/operators/:name/certificates`, call: plain(`${api}/operators/ada/certificates`) },
  { route: `POST ${api}/operators/:name/certificates`, call: plain(`${api}/operators/ada/certificates`, {}) },
  {
    route: `POST ${api}/operators/:name/certificates`,
    of: 'its own',
    call: ({ name }) => ({ path: `${api}/operators/${name}/certificates`, body: {} }),
  },
  { route: `GET ${api}/cells`, call: plain(`${api}/cells`) },
  { route: `GET ${api}/cells/:id`, call: plain(`${api}/cells/cell-none`) },
  { route: `GET ${api}/moves`, call: plain(`${api}/moves`) },
  { route: `GET ${api}/moves/:id`, call: plain(`${api}/moves/move-none`) },
  { route: `POST ${api}/moves/:id/abort`, call: plain(`${api}/moves/move-none/abort`, { reason: 'a reason' }) },
  { route: `POST ${api}/namespaces/:id/move`, call: plain(`${api}/namespaces/none.zzzzz/move`, {}) },
  { route: `POST ${api}/cells/:id/evacuate`, call: plain(`${api}/cells/cell-none/evacuate`) },
  { route: `GET ${api}/nodes`, call: plain(`${api}/nodes`) },
  { route: `GET ${api}/nodes/:id`, call: plain(`${api}/nodes/node-none`) },
  { route: `POST ${api}/cells`, call: plain(`${api}/cells`, { region: 'aws-none' }) },
  { route: `POST ${api}/cells/:id/drain`, call: plain(`${api}/cells/cell-none/drain`, {}) },
  { route: `POST ${api}/cells/:id/undrain`, call: plain(`${api}/cells/cell-none/undrain`, {}) },
  { route: `POST ${api}/cells/:id/resize`, call: plain(`${api}/cells/cell-none/resize`, { size: 'standard' }) },
  { route: `POST ${api}/cells/:id/retire`, call: plain(`${api}/cells/cell-none/retire`, {}) },
  { route: `POST ${api}/nodes/:id/replace`, call: plain(`${api}/nodes/node-none/replace`, { reason: 'a reason' }) },
  { route: `GET ${api}/regions`, call: plain(`${api}/regions`) },
  { route: `GET ${api}/regions/:id`, call: plain(`${api}/regions/aws-us-east-1`) },
  { route: `GET ${api}/rollouts`, call: plain(`${api}/rollouts`) },
  { route: `GET ${api}/rollouts/:id`, call: plain(`${api}/rollouts/roll-none`) },
  { route: `POST ${api}/rollouts`, call: plain(`${api}/rollouts`, { region: 'aws-none' }) },
  { route: `POST ${api}/rollouts/:id/pause`, call: plain(`${api}/rollouts/roll-none/pause`, {}) },
  { route: `POST ${api}/rollouts/:id/resume`, call: plain(`${api}/rollouts/roll-none/resume`, {}) },
  { route: `POST ${api}/rollouts/:id/cancel`, call: plain(`${api}/rollouts/roll-none/cancel`, {}) },
  { route: `POST ${api}/rollouts/:id/roll-back`, call: plain(`${api}/rollouts/roll-none/roll-back`, {}) },
  { route: `GET ${api}/cells/:id/cost`, call: plain(`${api}/cells/cell-none/cost`) },
  { route: `GET ${api}/costs`, call: plain(`${api}/costs`) },
  { route: `GET ${api}/orphans`, call: plain(`${api}/orphans`) },
  { route: `GET ${api}/operations`, call: plain(`${api}/operations`) },
  { route: `GET ${api}/audit-log`, call: plain(`${api}/audit-log`) },
]

const legend = `# What each route of the operator listener answers to whom. Made by operator-matrix.test.ts; rewritten only with UPDATE_GOLDENS=1.
# Columns: no certificate; one of another CA, with an operator's name; one of a tenant's CA, with an operator's name; one that
# was revoked; one that ended; one of a deleted operator, not revoked; operators by role.
# tls: no connection · 400 and 404 to whom the route lets in: the call is about something that is not there, or old
`

async function answerTo(row: Row, caller: Caller): Promise<string> {
  const { path, body } = await row.call(caller)
  const [method = 'GET'] = row.route.split(' ')
  const call: Call = { method, identity: caller.identity, ...(body === undefined ? {} : { body }) }
  try {
    return String((await listeners.call(path, call)).status)
  } catch (thrown) {
    // A server that hangs up after the request was read would be another matter.
    if (/alert|ECONNRESET|EPIPE|socket hang up|disconnected/i.test(String(thrown))) return 'tls'
    throw thrown
  }
}

test('every route has a row', () => {
  const ofDocs = (route: string) => /^GET \/docs(\/|$)/.test(route)
  const served = listeners.routes.filter((route) => !ofDocs(route) && !route.startsWith('OPTIONS '))
  expect(served.length).toBeGreaterThan(20)
  expect(served.filter((route) => !rows.some((row) => row.route === route))).toEqual([])
  expect(rows.filter((row) => !served.includes(row.route)).map(({ route }) => route)).toEqual([])
})

test('the matrix of operator routes is the one that was agreed to', async () => {
  const line = (first: string, cells: readonly string[]) =>
    [first.padEnd(60), ...cells.map((text) => text.padEnd(8))].join('').trimEnd()
  const lines = [legend, line('', Object.keys(callers)), '']
  for (const row of rows) {
    const cells: string[] = []
    for (const caller of Object.values(callers)) cells.push(await answerTo(row, caller))
    lines.push(line(row.of === undefined ? row.route : `${row.route} (${row.of})`, cells))
  }
  const now = `${lines.join('\n')}\n`
  if (process.env.UPDATE_GOLDENS === '1') writeFileSync(golden, now)
  expect(now).toBe(readFileSync(golden, 'utf8'))
})

test('nobody but an operator gets an answer, and the page of the documents is no exception', async () => {
  for (const [who, caller] of Object.entries(callers)) {
    const inside = ['viewer', 'support', 'admin'].includes(who)
    for (const route of ['/docs', '/docs/', '/docs/json', '/docs/static/index.html', '/no/such/path']) {
      const answer = await answerTo({ route: 'GET', call: plain(route) }, caller)
      if (inside) expect(answer, `${who} ${route}`).not.toMatch(/^(401|403|tls)$/)
      else expect(answer, `${who} ${route}`).toMatch(/^(401|tls)$/)
    }
  }
})
