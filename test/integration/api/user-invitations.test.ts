import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../harness/until.ts'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
})
afterAll(() => api.close())

const day = 24 * 60 * 60 * 1000
const accept = (token: string) => api.rest('', 'POST', '/v1/invitations/accept', { token })
const mailsTo = (email: string) => api.mails.filter(({ to }) => to === email)
const user = async (id: string) => (await api.rest(owner.token, 'GET', `/cloud/users/${id}`)).body.user

async function invite(email: string, role = 'ROLE_READ'): Promise<string> {
  const spec = { email, access: { accountAccess: { role } } }
  const answer = await api.rest(owner.token, 'POST', '/cloud/users', { spec })
  expect(answer.status).toBe(200)
  return answer.body.userId
}

async function tokenFor(email: string): Promise<string> {
  await until('the mail is out', () => mailsTo(email).length > 0)
  return /#token=(\S+)/.exec(mailsTo(email).at(-1)?.text ?? '')?.[1] ?? ''
}

test('who accepts gets a first key, once, and is what the invitation said', async () => {
  const id = await invite('ada@example.test', 'ROLE_DEVELOPER')
  const token = await tokenFor('ada@example.test')
  expect(mailsTo('ada@example.test')[0]?.text).toContain('https://aqueduct.example/invitations#token=')
  const { rows } = await api.admin.query('select i::text as row from user_invitations i where user_id = $1', [id])
  expect(rows[0].row).not.toContain(token)

  const answers = await Promise.all([accept(token), accept(token), accept(token)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401])
  const accepted = answers.find(({ status }) => status === 200)
  expect(accepted?.body).toMatchObject({ tenant: { id: 'aaaaa' }, user: { id, email: 'ada@example.test' } })
  const me = await api.rest(accepted?.body.apiKey.token, 'GET', '/cloud/current-identity')
  expect(me.body.user).toMatchObject({ id, spec: { access: { accountAccess: { role: 'ROLE_DEVELOPER' } } } })
  expect(me.body.user).not.toHaveProperty('invitation')
  expect((await accept(token)).status).toBe(401)
})

test('an invitation expires, and then the user shows none', async () => {
  const id = await invite('late@example.test')
  const token = await tokenFor('late@example.test')
  expect(await user(id)).toHaveProperty('invitation')
  api.clock.aheadMs = 8 * day
  try {
    expect((await accept(token)).status).toBe(401)
  } finally {
    api.clock.aheadMs = 0
  }
  await api.admin.query('update user_invitations set expires_at = now() where user_id = $1', [id])
  expect(await user(id)).not.toHaveProperty('invitation')
})

test('of a user who is gone, of a suspended account, or invented, none is accepted', async () => {
  const id = await invite('gone@example.test')
  const token = await tokenFor('gone@example.test')
  const other = await invite('waits@example.test')
  const waiting = await tokenFor('waits@example.test')
  await api.rest(owner.token, 'DELETE', `/cloud/users/${id}?resourceVersion=1`)
  const refused = await accept(token)
  expect(refused.status).toBe(401)
  expect((await accept(`aqjoin_${'x'.repeat(43)}`)).body.message).toBe(refused.body.message)
  await api.admin.query("update tenants set state = 'suspended' where id = 'aaaaa'")
  expect((await accept(waiting)).status).toBe(401)
  await api.admin.query("update tenants set state = 'active' where id = 'aaaaa'")
  expect((await accept(waiting)).body.user.id).toBe(other)
})

test('a mail that no server took goes out later, and only its last token is good', async () => {
  api.post.fails = true
  const id = await invite('patient@example.test')
  const attempts = async () =>
    (await api.admin.query('select mail_attempts, mailed_at from user_invitations where user_id = $1', [id])).rows[0]
  await until('an attempt was made', async () => (await attempts()).mail_attempts === 1)
  api.post.fails = false
  // Its pause is not over: nobody sends it twice in a row.
  api.invitationMails.wake()
  await invite('marker@example.test')
  await tokenFor('marker@example.test')
  expect(mailsTo('patient@example.test')).toEqual([])
  api.clock.aheadMs = 3_600_000
  api.invitationMails.wake()
  const token = await tokenFor('patient@example.test')
  api.clock.aheadMs = 0
  await until('it is written down', async () => (await attempts()).mailed_at !== null)
  expect((await accept(token)).body.user.id).toBe(id)
  api.invitationMails.wake()
  expect(mailsTo('patient@example.test')).toHaveLength(1)
})

test('whom a first key was given to again may hold no more keys than anybody', async () => {
  const id = await invite('rich@example.test')
  const token = await tokenFor('rich@example.test')
  await api.admin.query(
    `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at)
     select 'key-rich-' || n, 'aaaaa', 'user', $1, 'k', now() + interval '1 day' from generate_series(1, 10) n`,
    [id],
  )
  expect((await accept(token)).status).toBe(400)
  await api.admin.query("update api_keys set deleted_at = now() where id = 'key-rich-1'")
  expect((await accept(token)).status).toBe(200)
})
