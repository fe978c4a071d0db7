import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../harness/until.ts'
import { Listeners } from './listener.ts'

let listeners: Listeners
beforeAll(async () => {
  listeners = await Listeners.start()
})
afterAll(() => listeners.close())

const invite = (tenantId: string, email: string) =>
  listeners.call(`/operator/v1/tenants/${tenantId}/invite-user`, { body: { email } })
const tokensTo = (email: string) =>
  listeners.mails
    .filter(({ to, subject }) => to === email && subject.includes('the account'))
    .map(({ text }) => /#token=(\S+)/.exec(text)?.[1] ?? '')
const accept = (token: string) => listeners.anybody('/v1/invitations/accept', { token })

test('an owner without a key gets in again by mail, and only by the last one', async () => {
  const { id } = await listeners.tenant('ada@example.com')
  const first = await invite(id, 'Ada@example.com')
  expect(first).toMatchObject({
    status: 200,
    body: { userId: expect.any(String), invitation: { id: expect.any(String) } },
  })
  await until('the mail is out', () => tokensTo('ada@example.com').length === 1)
  await invite(id, 'ada@example.com')
  await until('the second mail is out', () => tokensTo('ada@example.com').length === 2)
  const [old = '', latest = ''] = tokensTo('ada@example.com')
  expect((await accept(old)).status).toBe(401)
  const accepted = await accept(latest)
  expect(accepted.body).toMatchObject({ tenant: { id }, user: { id: first.body.userId, email: 'ada@example.com' } })
  expect((await accept(latest)).status).toBe(401)
  expect(listeners.logged).not.toContain('aqjoin_')
})

test('nobody is invited whom the tenant does not have', async () => {
  const { id } = await listeners.tenant('bob@example.com')
  const mails = listeners.mails.length
  expect((await invite(id, 'ada@example.com')).status).toBe(404)
  expect((await invite('zzzzz', 'bob@example.com')).status).toBe(404)
  expect((await invite(id, '')).status).toBe(400)
  expect(listeners.mails).toHaveLength(mails)
})
