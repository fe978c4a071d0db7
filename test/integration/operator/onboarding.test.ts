import { X509Certificate } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Listeners } from './listener.ts'

let listeners: Listeners
beforeAll(async () => {
  listeners = await Listeners.start()
})
afterAll(() => listeners.close())

const application = { email: 'ada@example.com', company: 'Analytical Engines', useCase: 'Long runs' }
const code = { invalid: 3, notFound: 5, precondition: 9, unauthenticated: 16 }

test('from the waitlist to an account, an API key and a client certificate, with no secret in the log', async () => {
  const applied = await listeners.anybody('/v1/waitlist', application)
  expect(applied).toMatchObject({ status: 200, body: { position: 1, state: 'waiting' } })

  const { entries } = (await listeners.call('/operator/v1/waitlist?state=waiting')).body
  expect(entries).toMatchObject([{ ...application, id: applied.body.id, state: 'waiting', applications: 1 }])

  const approved = await listeners.call(`/operator/v1/waitlist/${applied.body.id}/approve`, { method: 'POST' })
  expect(approved).toMatchObject({
    status: 200,
    body: { mail: 'sent', entry: { state: 'approved', decidedBy: 'ada' } },
  })
  const token = listeners.lastToken()
  expect(JSON.stringify(approved.body)).not.toContain(token)
  expect(listeners.mails).toMatchObject([{ to: 'ada@example.com' }])

  const accepted = await listeners.anybody('/v1/invitations/accept', { token })
  expect(accepted).toMatchObject({
    status: 200,
    body: { tenant: { name: 'Analytical Engines' }, user: { email: 'ada@example.com' } },
  })
  const { tenant, user, apiKey } = accepted.body
  const days = (Date.parse(apiKey.expiresAt) - Date.now()) / 86_400_000
  expect(days).toBeCloseTo(90, 1)
  expect(decodeJwt(apiKey.token)).toMatchObject({
    sub: user.id,
    jti: apiKey.id,
    account: tenant.id,
    exp: Date.parse(apiKey.expiresAt) / 1000,
  })

  expect((await listeners.call(`/operator/v1/tenants/${tenant.id}`)).body).toMatchObject({
    name: 'Analytical Engines',
    state: 'active',
  })
  const certificates = `/operator/v1/tenants/${tenant.id}/certificates`
  const issued = (await listeners.call(certificates, { body: { commonName: 'worker', organization: 'Engines' } })).body
  const leaf = new X509Certificate(issued.certificate)
  const ca = new X509Certificate(issued.caCertificate)
  expect(leaf.verify(ca.publicKey)).toBe(true)
  expect(leaf.subject).toBe('O=Engines\nCN=worker')
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  expect(issued.privateKey).toContain('PRIVATE KEY')
  expect((await listeners.call(`/operator/v1/tenants/${tenant.id}/ca`)).body).toMatchObject({
    tenantId: tenant.id,
    certificate: issued.caCertificate,
  })

  const { logged } = listeners
  for (const secret of [
    token,
    apiKey.token,
    apiKey.token.split('.')[2],
    'PRIVATE KEY',
    issued.privateKey.slice(30, 90),
  ]) {
    expect(logged).not.toContain(secret)
  }
  const lines = logged
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.find((line) => line.route?.endsWith('/approve'))).toMatchObject({
    operator: 'ada',
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    target: { id: applied.body.id, invitationId: approved.body.invitation.id, mail: 'sent' },
    outcome: 'done',
    requestId: expect.any(String),
  })
  expect(lines.find((line) => line.route?.endsWith('/certificates'))).toMatchObject({
    target: { id: tenant.id, certificateId: issued.id },
  })
})

test('of two that accept one invitation at once, exactly one becomes a tenant', async () => {
  const { token } = await listeners.invite('race@example.com')
  const before = (await listeners.call('/operator/v1/tenants')).body.tenants.length
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => listeners.anybody('/v1/invitations/accept', { token })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 401)])
  expect((await listeners.call('/operator/v1/tenants')).body.tenants).toHaveLength(before + 1)
})

test('an expired, an unknown and a spent token look alike', async () => {
  const { entryId, token: expired } = await listeners.invite('late@example.com')
  await listeners.database.all
    .updateTable('invitations')
    .set({ expires_at: new Date(Date.now() - 1000) })
    .where('waitlist_entry_id', '=', entryId)
    .execute()
  const { token: spent } = await listeners.invite('once@example.com')
  await listeners.anybody('/v1/invitations/accept', { token: spent })
  const answers = await Promise.all(
    [expired, 'aqinv_forged', spent].map((token) => listeners.anybody('/v1/invitations/accept', { token })),
  )
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(answers[0]).toMatchObject({ status: 401, body: { code: code.unauthenticated } })
})

test('approving again sends a new token and ends the old one, until the invitation is accepted', async () => {
  const { entryId, token: first } = await listeners.invite('again@example.com')
  const approve = () => listeners.call(`/operator/v1/waitlist/${entryId}/approve`, { method: 'POST' })
  expect((await approve()).status).toBe(200)
  const second = listeners.lastToken()
  expect((await listeners.anybody('/v1/invitations/accept', { token: first })).status).toBe(401)
  expect((await listeners.anybody('/v1/invitations/accept', { token: second })).status).toBe(200)
  expect(await approve()).toMatchObject({ status: 400, body: { code: code.precondition } })
})

test('a mail that fails loses no invitation', async () => {
  const working = listeners.mailer
  listeners.mailer = {
    send: async (message) => {
      throw new Error(`cannot send ${message.text}`)
    },
  }
  const { body } = await listeners.anybody('/v1/waitlist', { ...application, email: 'mail@example.com' })
  const path = `/operator/v1/waitlist/${body.id}/approve`
  expect(await listeners.call(path, { method: 'POST' })).toMatchObject({ status: 200, body: { mail: 'failed' } })
  listeners.mailer = working
  expect(await listeners.call(path, { method: 'POST' })).toMatchObject({ status: 200, body: { mail: 'sent' } })
  expect((await listeners.anybody('/v1/invitations/accept', { token: listeners.lastToken() })).status).toBe(200)
  expect(listeners.logged).toContain('mail failed')
  expect(listeners.logged).not.toContain('#token=')
})

test('a rejected applicant may be approved later, an approved one not be rejected', async () => {
  const { body } = await listeners.anybody('/v1/waitlist', { ...application, email: 'maybe@example.com' })
  const decide = (how: string) => listeners.call(`/operator/v1/waitlist/${body.id}/${how}`, { method: 'POST' })
  expect(await decide('reject')).toMatchObject({ status: 200, body: { state: 'rejected', decidedBy: 'ada' } })
  expect(await decide('reject')).toMatchObject({ status: 200, body: { state: 'rejected' } })
  expect(await decide('approve')).toMatchObject({ status: 200 })
  expect(await decide('reject')).toMatchObject({ status: 400, body: { code: code.precondition } })
  const unknown = await listeners.call('/operator/v1/waitlist/wl-none/approve', { method: 'POST' })
  expect(unknown).toMatchObject({ status: 404, body: { code: code.notFound } })
})

test('suspends and resumes a tenant, twice without harm, and keeps what it has', async () => {
  const { id } = await listeners.tenant('suspend@example.com')
  const path = `/operator/v1/tenants/${id}`
  const suspend = (reason: string) => listeners.call(`${path}/suspend`, { body: { reason } })
  expect(await suspend('unpaid')).toMatchObject({ status: 200, body: { state: 'suspended', stateReason: 'unpaid' } })
  expect(await suspend('again')).toMatchObject({ status: 200, body: { state: 'suspended', stateReason: 'unpaid' } })
  expect(await suspend(' ')).toMatchObject({ status: 400, body: { code: code.invalid } })
  const resume = () => listeners.call(`${path}/resume`, { method: 'POST' })
  expect(await resume()).toMatchObject({ status: 200, body: { state: 'active', stateReason: '' } })
  expect(await resume()).toMatchObject({ status: 200, body: { state: 'active' } })
})

test('revokes a certificate, twice without harm', async () => {
  const { id } = await listeners.tenant('revoke@example.com')
  const issue = () => listeners.call(`/operator/v1/tenants/${id}/certificates`, { body: { commonName: 'w' } })
  const [one, two] = [(await issue()).body, (await issue()).body]
  expect(two.caCertificate).toBe(one.caCertificate)
  const revoke = () => listeners.call(`/operator/v1/certificates/${one.id}/revoke`, { method: 'POST' })
  const revoked = await revoke()
  expect(revoked).toMatchObject({ status: 200, body: { fingerprint: one.fingerprint, revokedBy: 'ada' } })
  expect((await revoke()).body.revokedAt).toBe(revoked.body.revokedAt)
  const { certificates } = (await listeners.call(`/operator/v1/certificates?tenantId=${id}`)).body
  expect(certificates.map((each: { id: string }) => each.id)).toEqual([two.id, one.id])
  expect((await listeners.call(`/operator/v1/certificates/${two.id}`)).body).not.toHaveProperty('revokedAt')
})
