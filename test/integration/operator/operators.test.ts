import { X509Certificate } from 'node:crypto'
import { Agent } from 'node:https'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#libs/base'
import { newCertificateRequest } from '#libs/pki'
import { createMetrics } from '#libs/telemetry'
import { operatorMetrics } from '../../../apps/api/operator/operator-metrics.ts'
import { until } from '../../harness/until.ts'
import { type Answer, type Identity, Listeners } from './listener.ts'

// A database for each test: the last admin is the last of an installation.
let listeners: Listeners
beforeEach(async () => {
  listeners = await Listeners.start()
})
afterEach(() => listeners.close())

const operators = '/operator/v1/operators'
const tenants = '/operator/v1/tenants'
const statusOf = { unauthenticated: 401, forbidden: 403 }
const lastAdmin = { status: 400, body: { code: 9, message: expect.stringContaining('no admin') } }

/** What `who` (ada, unless said) may do to operators. */
function as(identity?: Identity) {
  const given = identity === undefined ? {} : { identity }
  const versionOf = async (name: string): Promise<string> =>
    (await listeners.call(`${operators}/${name}`)).body.resourceVersion ?? '1'
  return {
    create: (name: string, role: string) => listeners.call(operators, { ...given, body: { name, role } }),
    setRole: (name: string, role: string, resourceVersion: string) =>
      listeners.call(`${operators}/${name}/role`, { ...given, body: { role, resourceVersion } }),
    delete: (name: string, resourceVersion: string) =>
      listeners.call(`${operators}/${name}?resourceVersion=${resourceVersion}`, { ...given, method: 'DELETE' }),
    issue: (name: string, body: object = {}) => listeners.call(`${operators}/${name}/certificates`, { ...given, body }),
    revoke: (id: string) => listeners.call(`/operator/v1/certificates/${id}/revoke`, { ...given, method: 'POST' }),
    get: (path: string) => listeners.call(path, given),
    versionOf,
  }
}

function identityOf({ body }: Answer): Identity & { readonly id: string } {
  return { id: body.id, cert: body.certificate, key: body.privateKey }
}

async function certificatesOf(name: string): Promise<{ id: string; revokedAt?: string; issuedBy: string }[]> {
  return (await as().get(`${operators}/${name}/certificates`)).body.certificates
}

test('an operator does what its role says at that moment, on one connection', async () => {
  expect(await as().create('bob', 'viewer')).toMatchObject({
    status: 200,
    body: { name: 'bob', role: 'viewer', createdBy: 'ada', liveCertificates: 0, certificatesEndSoon: true },
  })
  const bob = identityOf(await as().issue('bob'))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const approve = () =>
    listeners.call('/operator/v1/waitlist/wl-none/approve', { identity: bob, method: 'POST', tls: { agent } })
  expect((await approve()).status).toBe(statusOf.forbidden)
  expect((await as().setRole('bob', 'support', '1')).body).toMatchObject({ role: 'support', resourceVersion: '2' })
  expect((await approve()).status).toBe(404)
  await as().setRole('bob', 'viewer', '2')
  expect((await approve()).status).toBe(statusOf.forbidden)
  agent.destroy()
})

test('a deleted operator is nobody, for ever, whatever certificates it has', async () => {
  await as().create('bob', 'admin')
  const [first, second] = [identityOf(await as().issue('bob')), identityOf(await as().issue('bob'))]
  expect((await as(first).get(tenants)).status).toBe(200)
  expect(await as().delete('bob', '1')).toMatchObject({ status: 200, body: {} })
  for (const identity of [first, second]) {
    expect((await as(identity).get(tenants)).status).toBe(statusOf.unauthenticated)
    expect((await as(identity).issue('bob')).status).toBe(statusOf.unauthenticated)
  }
  expect((await as().get(`${operators}/bob`)).status).toBe(404)
  expect((await as().issue('bob')).status).toBe(404)
  expect((await as().create('bob', 'viewer')).body).toMatchObject({ code: 6 })
  expect((await as().get(operators)).body.operators.map(({ name }: { name: string }) => name)).toEqual(['ada'])
  // Not even with its certificates as they were.
  await listeners.database.all.updateTable('certificates').set({ revoked_at: null, revoked_by: null }).execute()
  expect((await as(first).get(tenants)).status).toBe(statusOf.unauthenticated)
})

test('a certificate that ends while its connection is open is refused', async () => {
  const bob = await listeners.operator('bob')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const look = () => listeners.call(tenants, { identity: bob, tls: { agent } })
  expect((await look()).status).toBe(200)
  await listeners.database.all
    .updateTable('certificates')
    .set({ not_after: new Date(Date.now() - 1) })
    .where('id', '=', bob.id)
    .execute()
  expect((await look()).status).toBe(statusOf.unauthenticated)
  agent.destroy()
})

test('a certificate is of the operator that its row says, whatever the URI in it', async () => {
  await listeners.operator('eve', { role: 'viewer' })
  const eve = await listeners.operator('eve', { role: 'viewer', uris: ['aqueduct://operators/ada'] })
  expect((await as(eve).get(tenants)).status).toBe(statusOf.unauthenticated)
})

test('certificates are issued for a CSR or with a key that is shown once, and say who issued them', async () => {
  await as().create('bob', 'viewer')
  const { csrPem, keyPem } = await newCertificateRequest('ada')
  const forCsr = await as().issue('bob', { csr: csrPem, validityDays: 7 })
  expect(forCsr.body).not.toHaveProperty('privateKey')
  const leaf = new X509Certificate(forCsr.body.certificate)
  expect(leaf.subject).toBe('CN=bob')
  expect(leaf.subjectAltName).toBe('URI:aqueduct://operators/bob')
  expect((leaf.validToDate.getTime() - Date.now()) / 86_400_000).toBeCloseTo(7, 1)
  expect((await as({ cert: forCsr.body.certificate, key: keyPem }).get(tenants)).status).toBe(200)

  const withKey = await as().issue('bob')
  expect(withKey.headers?.['cache-control']).toBe('no-store')
  expect((Date.parse(withKey.body.notAfter) - Date.now()) / 86_400_000).toBeCloseTo(90, 1)
  const listed = await as().get(`${operators}/bob/certificates`)
  expect(listed.body.certificates).toMatchObject([
    { id: withKey.body.id, purpose: 'operator', operatorName: 'bob', issuedBy: 'ada' },
    { id: forCsr.body.id, issuedBy: 'ada' },
  ])
  for (const text of [JSON.stringify(listed.body), listeners.logged]) {
    expect(text).not.toContain('PRIVATE KEY')
    expect(text).not.toContain(withKey.body.privateKey.split('\n')[1])
  }
})

test.each([
  ['no days', { validityDays: 0 }, 'validityDays'],
  ['more than a year', { validityDays: 366 }, 'validityDays'],
  ['a CSR that is none', { csr: 'hello' }, 'csr'],
  ['another name', { commonName: 'ada' }, 'commonName'],
])('a request for a certificate with %s is INVALID_ARGUMENT', async (_what, body, field) => {
  const answer = await as().issue('ada', body)
  expect(answer).toMatchObject({ status: 400, body: { code: 3 } })
  expect(answer.body.details[0].fieldViolations).toMatchObject([{ field }])
  expect(await certificatesOf('ada')).toHaveLength(1)
})

test('every operator renews its own certificate, and nobody but an admin another’s', async () => {
  await as().create('bob', 'viewer')
  const bob = identityOf(await as().issue('bob'))
  const renewed = identityOf(await as(bob).issue('bob'))
  await as().revoke(bob.id)
  expect((await as(renewed).get(tenants)).status).toBe(200)
  expect((await as(renewed).issue('ada')).status).toBe(statusOf.forbidden)
  expect(await certificatesOf('bob')).toMatchObject([{ issuedBy: 'bob' }, { issuedBy: 'ada', revokedBy: 'ada' }])
  expect((await as(bob).issue('bob')).status).toBe(statusOf.unauthenticated)
})

test('support revokes certificates of tenants, and not those of operators', async () => {
  const { id } = await listeners.tenant('tenant@example.com')
  const ofTenant = (await listeners.call(`${tenants}/${id}/certificates`, { body: { commonName: 'worker' } })).body.id
  const sue = await listeners.operator('sue', { role: 'support' })
  expect((await as(sue).revoke(ofTenant)).body).toMatchObject({ revokedBy: 'sue' })
  for (const name of ['ada', 'sue']) {
    const [certificate] = await certificatesOf(name)
    expect((await as(sue).revoke(certificate?.id ?? '')).status).toBe(statusOf.forbidden)
    expect((await certificatesOf(name))[0]).not.toHaveProperty('revokedAt')
  }
})

test('the last admin with a good certificate cannot be deleted, made less, or locked out', async () => {
  const [own] = await certificatesOf('ada')
  // Neither of these could get in.
  await as().create('bob', 'admin')
  await as().create('eve', 'admin')
  await as().revoke(identityOf(await as().issue('eve')).id)
  expect(await as().delete('ada', '1')).toMatchObject(lastAdmin)
  expect(await as().setRole('ada', 'support', '1')).toMatchObject(lastAdmin)
  expect(await as().revoke(own?.id ?? '')).toMatchObject(lastAdmin)
  expect((await as().get(`${operators}/ada`)).body).toMatchObject({ role: 'admin', liveCertificates: 1 })

  const renewed = identityOf(await as().issue('ada'))
  expect((await as().revoke(own?.id ?? '')).status).toBe(200)
  expect(await as(renewed).revoke(renewed.id)).toMatchObject(lastAdmin)

  const bob = identityOf(await as(renewed).issue('bob'))
  expect((await as(renewed).delete('ada', '1')).status).toBe(200)
  expect(await as(bob).delete('bob', '1')).toMatchObject(lastAdmin)
})

const attacks = {
  delete: async (who: Identity, whom: string) => as(who).delete(whom, '1'),
  demote: async (who: Identity, whom: string) => as(who).setRole(whom, 'viewer', '1'),
  revoke: async (who: Identity, _whom: string, certificate: string) => as(who).revoke(certificate),
}
const pairs = Object.keys(attacks).flatMap((one, index, all) =>
  all.slice(index).flatMap((other) => [false, true].map((third) => ({ one, other, third }))),
)
const waiters = `select from pg_locks where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())`

test.each(pairs)(
  'of two admins that $one and $other each other at once, one fails (a third one there: $third)',
  async (pair) => {
    const { one, other, third } = pair as { one: keyof typeof attacks; other: keyof typeof attacks; third: boolean }
    const [bob, eve] = [await listeners.operator('bob'), await listeners.operator('eve')]
    if (!third) {
      const { body } = await as().get(`${operators}/ada`)
      expect((await as(bob).delete('ada', body.resourceVersion)).status).toBe(200)
    }
    const holder = new Client({ connectionString: listeners.adminUrl })
    await holder.connect()
    try {
      await holder.query("select pg_advisory_lock(hashtext('aqueduct.operators'))")
      // Both are admins when they ask, and both wait for the same lock.
      const answers = Promise.all([attacks[one](bob, 'eve', eve.id), attacks[other](eve, 'bob', bob.id)])
      await until('both wait', async () => {
        const { rows } = await holder.query(waiters)
        return rows.length === 2
      })
      await holder.query("select pg_advisory_unlock(hashtext('aqueduct.operators'))")
      const statuses = (await answers).map(({ status }) => status)
      expect(statuses.filter((status) => status === 200)).toHaveLength(1)
      const [survivor, loser] = statuses[0] === 200 ? [bob, eve] : [eve, bob]
      expect((await as(survivor).get(operators)).status).toBe(200)
      expect((await as(loser).issue(loser === bob ? 'eve' : 'bob')).status).toBeGreaterThanOrEqual(401)
    } finally {
      await holder.end()
    }
  },
)

test('versions that are stale, roles that it has, and names that are none are refused', async () => {
  await as().create('bob', 'viewer')
  await as().setRole('bob', 'support', '1')
  for (const stale of [await as().setRole('bob', 'admin', '1'), await as().delete('bob', '1')]) {
    expect(stale).toMatchObject({ status: 400, body: { code: 9 } })
  }
  expect(await as().setRole('bob', 'support', '2')).toMatchObject({
    status: 400,
    body: { code: 3, message: expect.stringContaining('nothing to change') },
  })
  for (const name of ['Bob', '', '-', '../ada', 'a'.repeat(64), 'ada/role']) {
    expect((await as().create(name, 'viewer')).status, name).toBe(400)
  }
  expect((await as().create('x', 'owner')).status).toBe(400)
  expect((await as().delete('bob', '')).status).toBe(400)
})

test('says whose certificates end soon, and when no admin will be left', async () => {
  const registry = createMetrics('test')
  operatorMetrics(registry, listeners.database, systemClock)
  const days = async (): Promise<number> =>
    (await registry.getSingleMetric('aqueduct_operator_admin_certificate_days')?.get())?.values[0]?.value ?? Number.NaN
  expect((await as().get(operators)).body.operators).toMatchObject([
    { name: 'ada', liveCertificates: 1, certificatesEndSoon: true, certificatesEndAt: expect.any(String) },
  ])
  expect(await days()).toBeCloseTo(1, 1)
  await as().issue('ada', { validityDays: 60 })
  expect((await as().get(`${operators}/ada`)).body).toMatchObject({ liveCertificates: 2, certificatesEndSoon: false })
  expect(await days()).toBeCloseTo(60, 1)
  await as().create('sue', 'support')
  await as().issue('sue', { validityDays: 300 })
  expect(await days()).toBeCloseTo(60, 1)
})

test('the log says who did what to which operator, and who was refused', async () => {
  await as().create('bob', 'viewer')
  const bob = identityOf(await as().issue('bob'))
  await as(bob).setRole('bob', 'admin', '1')
  await as().revoke(bob.id)
  await as().delete('ada', '1')
  const lines = listeners.logged
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'operator call')
  expect(lines).toMatchObject([
    { operator: 'ada', target: { operatorName: 'bob', role: 'viewer' }, outcome: 'done' },
    { operator: 'ada', target: { name: 'bob', certificateId: bob.id }, outcome: 'done' },
    { operator: 'bob', target: { name: 'bob', role: 'admin' }, outcome: 'refused', status: 403 },
    { operator: 'ada', target: { id: bob.id, operatorName: 'bob' }, outcome: 'done' },
    { operator: 'ada', method: 'DELETE', target: { name: 'ada' }, outcome: 'refused', status: 400 },
  ])
})

interface Entry {
  readonly operation: string
  readonly outcome: string
  readonly principal: { readonly id: string }
}

test('the audit log has each of these with who did it, and the refusal of the last admin among them', async () => {
  await as().create('bob', 'viewer')
  const bob = identityOf(await as().issue('bob'))
  await as().setRole('bob', 'support', '1')
  await as().revoke(bob.id)
  await as().delete('bob', '2')
  await as().delete('ada', '1')
  const entries = await until('all are there', async () => {
    const { body } = await as().get('/operator/v1/audit-log')
    const own = body.entries?.filter((entry: Entry) => /operators|certificates/.test(entry.operation))
    return own?.length === 6 && own.toReversed()
  })
  expect(entries.map((entry: Entry) => [entry.principal.id, entry.operation, entry.outcome])).toEqual([
    ['ada', `POST ${operators}`, 'OK'],
    ['ada', `POST ${operators}/:name/certificates`, 'OK'],
    ['ada', `POST ${operators}/:name/role`, 'OK'],
    ['ada', 'POST /operator/v1/certificates/:id/revoke', 'OK'],
    ['ada', `DELETE ${operators}/:name`, 'OK'],
    ['ada', `DELETE ${operators}/:name`, 'FAILED_PRECONDITION'],
  ])
  expect(entries[0].target).toMatchObject({ operatorName: 'bob', role: 'viewer' })
})

test('pages of operators and of certificates hold each once', async () => {
  await Promise.all(['bob', 'cleo', 'dora'].map((name) => as().create(name, 'viewer')))
  await Promise.all([1, 2, 3].map(() => as().issue('bob')))
  const pages = async (path: string, list: string): Promise<string[]> => {
    const found: string[] = []
    for (let token: string | undefined = ''; token !== undefined; ) {
      const { body } = await as().get(`${path}?pageSize=2${token === '' ? '' : `&pageToken=${token}`}`)
      found.push(...body[list].map((each: { name?: string; id?: string }) => each.name ?? each.id))
      token = body.nextPageToken === '' ? undefined : body.nextPageToken
    }
    return found
  }
  expect(await pages(operators, 'operators')).toEqual(['ada', 'bob', 'cleo', 'dora'])
  const ids = (await certificatesOf('bob')).map(({ id }) => id)
  expect(await pages(`${operators}/bob/certificates`, 'certificates')).toEqual(ids)
  const { body } = await as().get(`${operators}/bob/certificates?pageSize=1`)
  const elsewhere = await as().get(`${operators}/cleo/certificates?pageSize=1&pageToken=${body.nextPageToken}`)
  expect(elsewhere).toMatchObject({ status: 400, body: { code: 3 } })
})
