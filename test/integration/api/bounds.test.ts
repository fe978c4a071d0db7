import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
})
afterAll(() => api.close())

test('an operation keeps no request of any size, whatever stands in fields that mean nothing', async () => {
  const { id, keyId, token } = await api.newUser('aaaaa', 'metrics_read')
  const { body } = await api.rest(token, 'GET', `/cloud/api-keys/${keyId}`)
  const rename = (displayName: string, ownerTypeDeprecated: string) =>
    api.rest(token, 'POST', `/cloud/api-keys/${keyId}`, {
      spec: { ...body.apiKey.spec, displayName, ownerTypeDeprecated },
      resourceVersion: '1',
    })
  expect(await rename('one', 'x'.repeat(9_000))).toMatchObject({
    status: 400,
    body: { message: expect.stringMatching(/at most 8192 are allowed/) },
  })
  expect((await rename('one', 'user')).status).toBe(200)
  const { rows } = await api.admin.query('select max(length(request)) from operations where requested_by = $1', [id])
  expect(rows[0].max).toBeLessThan(1_000)

  const user = (await api.rest(owner.token, 'GET', `/cloud/users/${id}`)).body.user
  const large = { ...user.spec, access: { accountAccess: { role: 'ROLE_READ', roleDeprecated: 'x'.repeat(300_000) } } }
  const answer = await api.rest(owner.token, 'POST', `/cloud/users/${id}`, { spec: large, resourceVersion: '1' })
  expect(answer).toMatchObject({ status: 400, body: { message: expect.stringMatching(/at most 262144 are allowed/) } })
})

test('an account invites so many people a day, and no more by deleting them', async () => {
  const { id, token } = await api.newTenant('bbbbb')
  await api.admin.query(
    `insert into user_invitations (id, tenant_id, user_id, token_hash, expires_at, created_by, created_at)
     select 'inv-' || i, 'bbbbb', $1::text, convert_to('inv-' || i, 'UTF8'), now(), $1::text,
       now() - case when i = 0 then interval '25 hours' else interval '1 hour' end
     from generate_series(0, 1999) i`,
    [id],
  )
  const invite = (email: string) =>
    api.rest(token, 'POST', '/cloud/users', {
      spec: { email, access: { accountAccess: { role: 'ROLE_READ' } } },
    })
  const made = await invite('one@example.com')
  expect(made.status).toBe(200)
  expect((await api.rest(token, 'DELETE', `/cloud/users/${made.body.userId}?resourceVersion=1`)).status).toBe(200)
  expect(await invite('two@example.com')).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('2000 invitations of the last 24 hours') },
  })
  const scim = await fetch(`${await api.listen()}/scim/v2/Users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    body: JSON.stringify({ userName: 'three@example.com' }),
  })
  expect(scim.status).toBe(400)
})
