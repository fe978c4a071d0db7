import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../harness/until.ts'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let admin: Principal
let developer: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  admin = await api.newUser('aaaaa', 'admin')
  developer = await api.newUser('aaaaa', 'developer')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

const access = (role: string, more: object = {}) => ({ accountAccess: { role: `ROLE_${role}` }, ...more })
const post = (url: string, body: object, { token } = owner, headers = {}) => api.rest(token, 'POST', url, body, headers)
const get = (url: string, { token } = owner) => api.rest(token, 'GET', url)
const remove = (url: string, { token } = owner) => api.rest(token, 'DELETE', url)
const read = async (id: string) => (await get(`/cloud/users/${id}`)).body.user
const mailsTo = (email: string) => api.mails.filter(({ to }) => to === email)

async function newUser(email: string, role = 'READ', more: object = {}): Promise<string> {
  const answer = await post('/cloud/users', { spec: { email, access: access(role, more) } })
  expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
  return answer.body.userId
}

async function newNamespace(name: string, { token } = owner): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const answer = await api.rest(token, 'POST', '/cloud/namespaces', { spec })
  expect(answer.status).toBe(200)
  return answer.body.namespace
}

async function newRole(name: string): Promise<string> {
  const id = `role-${name}`
  const permissions = JSON.stringify([])
  await api.admin.query("insert into custom_roles (id, tenant_id, name, permissions) values ($1, 'aaaaa', $2, $3)", [
    id,
    name,
    permissions,
  ])
  return id
}

describe('users', () => {
  test('are invited, active at once, read, changed and deleted with all that they had', async () => {
    const namespace = await newNamespace('of-users')
    const role = await newRole('operator')
    const namespaceAccesses = { [namespace]: { permission: 'PERMISSION_WRITE' } }
    const spec = {
      email: 'Grace@example.test',
      access: { accountAccess: { role: 'ROLE_DEVELOPER', customRoles: [role] }, namespaceAccesses },
    }
    const made = await post('/cloud/users', { spec })
    const id = made.body.userId
    const user = await read(id)
    expect(user).toMatchObject({
      id,
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVE',
      invitation: { createdTime: expect.any(String), expiredTime: expect.any(String) },
      spec: {
        email: 'Grace@example.test',
        access: { accountAccess: { role: 'ROLE_DEVELOPER', roleDeprecated: 'developer', customRoles: [role] } },
      },
    })
    expect(user.spec.access.namespaceAccesses[namespace].permission).toBe('PERMISSION_WRITE')
    expect(user).not.toHaveProperty('lastModifiedTime')

    const url = `/cloud/users/${id}`
    const update = (change: object, resourceVersion: string, who = owner) =>
      post(url, { spec: { ...user.spec, ...change }, resourceVersion }, who)
    expect((await update({}, '1')).body).toMatchObject({
      code: 3,
      message: expect.stringContaining('nothing to change'),
    })
    expect((await update({ access: access('READ') }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ access: access('READ') }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ access: access('READ') }, '1', stranger)).status).toBe(404)
    expect((await update({ access: access('READ') }, '1', developer)).status).toBe(403)
    expect((await update({ email: 'other@example.test' }, '1')).body.message).toContain('cannot be changed')
    expect((await update({ access: access('READ') }, '1', admin)).status).toBe(200)
    const changed = await read(id)
    expect(changed).toMatchObject({ resourceVersion: '2', lastModifiedTime: expect.any(String) })
    expect(changed.spec.access).toEqual({ accountAccess: { role: 'ROLE_READ', roleDeprecated: 'read' } })

    // What it had is gone with it: keys, grants, roles, memberships, the open invitation.
    const group = await post('/cloud/user-groups', { spec: { displayName: 'mates', cloudGroup: {} } })
    await post(`/cloud/user-groups/${group.body.groupId}/members`, { memberId: { userId: id } })
    await update({ access: { accountAccess: { role: 'ROLE_READ', customRoles: [role] }, namespaceAccesses } }, '2')
    await api.admin.query(
      `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at)
       values ('key-grace', 'aaaaa', 'user', $1, 'k', now() + interval '1 day')`,
      [id],
    )
    expect((await remove(`${url}?resourceVersion=2`)).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await remove(`${url}?resourceVersion=3`, developer)).status).toBe(403)
    expect((await remove(`${url}?resourceVersion=3`, stranger)).status).toBe(404)
    expect((await remove(`${url}?resourceVersion=3`)).status).toBe(200)
    expect((await get(url)).status).toBe(404)
    const { rows } = await api.admin.query(
      `select 'key' as left_over from api_keys where owner_id = $1 and deleted_at is null
       union all select 'grant' from namespace_grants where principal_id = $1
       union all select 'role' from principal_custom_roles where principal_id = $1
       union all select 'member' from user_group_members where user_id = $1
       union all select 'invitation' from user_invitations where user_id = $1 and expires_at > now()`,
      [id],
    )
    expect(rows).toEqual([])
    // The address is free again.
    await newUser('grace@example.test')
  })

  test('an address is one user of a tenant, whatever its case, and may be one of another tenant too', async () => {
    await newUser('twice@example.test')
    const again = { spec: { email: 'TWICE@example.test', access: access('READ') } }
    expect((await post('/cloud/users', again)).body.code).toBe(status.ALREADY_EXISTS)
    expect((await post('/cloud/users', again, stranger)).status).toBe(200)
  })

  test('a repeated request is one user and one mail; a dry run and a refused one are none', async () => {
    const spec = { email: 'once@example.test', access: access('READ') }
    const request = { spec, asyncOperationId: 'invite-once' }
    const [first, second] = [await post('/cloud/users', request), await post('/cloud/users', request)]
    expect(second.body).toEqual(first.body)
    const other = { ...request, spec: { ...spec, access: access('ADMIN') } }
    expect((await post('/cloud/users', other)).body.code).toBe(status.ALREADY_EXISTS)
    const dry = { email: 'dry@example.test', access: access('READ') }
    const dryRun = { 'x-aqueduct-dry-run': 'true' }
    expect((await post('/cloud/users', { spec: dry }, owner, dryRun)).status).toBe(200)
    const refused = { email: 'refused@example.test', access: access('READ') }
    expect((await post('/cloud/users', { spec: refused }, developer)).status).toBe(403)
    await newUser('marker@example.test')
    await until('the mails are out', () => mailsTo('marker@example.test').length === 1)
    expect(mailsTo('once@example.test')).toHaveLength(1)
    expect([...mailsTo('dry@example.test'), ...mailsTo('refused@example.test')]).toEqual([])
    expect((await get('/cloud/users?email=dry%40example.test')).body.users ?? []).toEqual([])
  })

  test.each([
    ['no address', { access: access('READ') }, 'spec.email'],
    ['no role', { email: 'a@example.test' }, 'spec.access.account_access.role'],
    [
      'grants of an admin',
      { email: 'a@example.test', access: access('ADMIN', { namespaceAccesses: { 'x.aaaaa': { permission: 1 } } }) },
      'spec.access.namespace_accesses',
    ],
    [
      'a namespace of another tenant',
      { email: 'a@example.test', access: access('READ', { namespaceAccesses: { 'x.bbbbb': { permission: 1 } } }) },
      'spec.access.namespace_accesses',
    ],
  ])('refuses %s', async (_what, spec, field) => {
    const answer = await post('/cloud/users', { spec })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('refuses a namespace and a custom role that the tenant does not have', async () => {
    const missing = access('READ', { namespaceAccesses: { 'missing.aaaaa': { permission: 1 } } })
    const unknown = { accountAccess: { role: 'ROLE_READ', customRoles: ['role-unknown'] } }
    for (const each of [missing, unknown]) {
      const answer = await post('/cloud/users', { spec: { email: 'nobody@example.test', access: each } })
      expect(answer.status).toBe(404)
    }
    expect((await get('/cloud/users?email=nobody%40example.test')).body.users ?? []).toEqual([])
  })

  test('are listed by id, page by page, and found by address and by namespace, over gRPC', async () => {
    const tenant = await api.newTenant('ccccc')
    for (let n = 0; n < 4; n += 1) await api.newUser('ccccc', 'read')
    const ids: string[] = []
    for (let pageToken = ''; ; ) {
      const page = await api.grpc(tenant.token, 'GetUsers', { pageSize: 2, pageToken })
      ids.push(...(page.users ?? []).map(({ id }) => id ?? ''))
      pageToken = page.nextPageToken ?? ''
      if (pageToken === '') break
      const foreign = api.grpc(owner.token, 'GetUsers', { pageSize: 2, pageToken })
      await expect(foreign).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    }
    expect(ids).toHaveLength(5)
    expect(ids).toEqual([...ids].sort())
    const found = async (request: object) =>
      ((await api.grpc(tenant.token, 'GetUsers', request)).users ?? []).map(({ id }) => id)
    expect(await found({ email: `${tenant.id}@EXAMPLE.test` })).toEqual([tenant.id])
    expect(await found({ email: `${owner.id}@example.test` })).toEqual([])
    expect(await found({ email: 'example.test' })).toEqual([])

    const namespace = await newNamespace('seen', tenant)
    const [byGrant = '', byGroup = '', byNothing = ''] = ids.filter((id) => id !== tenant.id)
    const grant = { access: { permission: 'PERMISSION_READ' }, resourceVersion: '1' }
    await post(`/cloud/namespaces/${namespace}/users/${byGrant}/access`, grant, tenant)
    const spec = {
      displayName: 'seers',
      cloudGroup: {},
      access: { namespaceAccesses: { [namespace]: { permission: 'PERMISSION_READ' } } },
    }
    const { groupId } = (await post('/cloud/user-groups', { spec }, tenant)).body
    await post(`/cloud/user-groups/${groupId}/members`, { memberId: { userId: byGroup } }, tenant)
    const seen = await found({ namespace })
    expect(seen.sort()).toEqual([tenant.id, byGrant, byGroup].sort())
    expect(seen).not.toContain(byNothing)
    expect(await found({ namespace: 'missing.ccccc' })).toEqual([])
    expect(await found({ namespace: 'of-users.aaaaa' })).toEqual([])
  })

  test('who may not list users reads itself, and nobody else', async () => {
    const metrics = await api.newUser('aaaaa', 'metrics_read')
    expect((await get('/cloud/users', metrics)).status).toBe(403)
    expect((await get(`/cloud/users/${metrics.id}`, metrics)).status).toBe(200)
    expect((await get(`/cloud/users/${owner.id}`, metrics)).status).toBe(404)
    expect((await get(`/cloud/users/${owner.id}`, stranger)).status).toBe(404)
    await expect(api.grpc('', 'GetUser', { userId: owner.id })).rejects.toMatchObject({ code: status.UNAUTHENTICATED })
  })
})

describe('account owners', () => {
  test('are made, changed and deleted by owners alone', async () => {
    const spec = { email: 'mighty@example.test', access: access('OWNER') }
    expect((await post('/cloud/users', { spec }, admin)).body.code).toBe(status.PERMISSION_DENIED)
    const id = await newUser('mighty@example.test', 'OWNER')
    const url = `/cloud/users/${id}`
    const lowered = { spec: { ...spec, access: access('READ') }, resourceVersion: '1' }
    const denied = { code: status.PERMISSION_DENIED, message: expect.stringContaining('only account owners') }
    expect((await post(url, lowered, admin)).body).toMatchObject(denied)
    expect((await remove(`${url}?resourceVersion=1`, admin)).body).toMatchObject(denied)
    const plain = await newUser('plain@example.test')
    const raised = { spec: { email: 'plain@example.test', access: access('OWNER') }, resourceVersion: '1' }
    expect((await post(`/cloud/users/${plain}`, raised, admin)).body.code).toBe(status.PERMISSION_DENIED)
    expect((await read(plain)).spec.access.accountAccess.role).toBe('ROLE_READ')
    // Not itself either.
    const me = { spec: { email: `${admin.id}@example.test`, access: access('OWNER') }, resourceVersion: '1' }
    expect((await post(`/cloud/users/${admin.id}`, me, admin)).body.code).toBe(status.PERMISSION_DENIED)
    expect((await post(url, lowered)).status).toBe(200)
  })

  test('one by a group counts as an owner for who may touch it, and not as the last one', async () => {
    const tenant = await api.newTenant('ddddd')
    const below = await api.newUser('ddddd', 'admin')
    const risen = await api.newUser('ddddd', 'read')
    const spec = { displayName: 'owners', cloudGroup: {}, access: access('OWNER') }
    expect((await post('/cloud/user-groups', { spec }, below)).body.code).toBe(status.PERMISSION_DENIED)
    const { groupId } = (await post('/cloud/user-groups', { spec }, tenant)).body
    await post(`/cloud/user-groups/${groupId}/members`, { memberId: { userId: risen.id } }, tenant)
    const url = `/cloud/users/${risen.id}?resourceVersion=1`
    expect((await remove(url, below)).body.code).toBe(status.PERMISSION_DENIED)
    // It is an owner in all it does, and yet the account keeps one that no group can take away.
    expect((await remove(`/cloud/users/${tenant.id}?resourceVersion=1`, risen)).body.message).toContain(
      'last account owner',
    )
    expect((await remove(`/cloud/users/${below.id}?resourceVersion=1`, risen)).status).toBe(200)
  })

  test('the last one can neither be deleted nor demoted', async () => {
    const tenant = await api.newTenant('eeeee')
    const url = `/cloud/users/${tenant.id}`
    const deleted = await remove(`${url}?resourceVersion=1`, tenant)
    expect(deleted.body).toMatchObject({ code: 9, message: expect.stringContaining('last account owner') })
    const spec = { email: `${tenant.id}@example.test`, access: access('ADMIN') }
    expect((await post(url, { spec, resourceVersion: '1' }, tenant)).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await get(url, tenant)).body.user.resourceVersion).toBe('1')
  })

  test('of two requests in parallel that remove the last two, one fails', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tenantId = `ffff${'abcde'.charAt(round)}`
      const one = await api.newTenant(tenantId)
      const two = await api.newUser(tenantId, 'owner')
      const spec = { email: `${two.id}@example.test`, access: access('READ') }
      const answers = await Promise.all([
        remove(`/cloud/users/${one.id}?resourceVersion=1`, two),
        post(`/cloud/users/${two.id}`, { spec, resourceVersion: '1' }, one),
      ])
      // The slower one may find that its own key is gone, or that it is no owner any more.
      expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
      const { rows } = await api.admin.query(
        "select id from users where tenant_id = $1 and account_role = 'owner' and deleted_at is null",
        [tenantId],
      )
      expect(rows).toHaveLength(1)
    }
  })
})

describe('SetUserNamespaceAccess', () => {
  test('gives, changes and takes one permission, by compare-and-set', async () => {
    const namespace = await newNamespace('granted')
    const id = await newUser('granted@example.test')
    const set = (permission: string, resourceVersion: string, who = owner, on = namespace, to = id) =>
      post(
        `/cloud/namespaces/${on}/users/${to}/access`,
        { ...(permission === '' ? {} : { access: { permission } }), resourceVersion },
        who,
      )
    const given = async () => (await read(id)).spec.access.namespaceAccesses?.[namespace]?.permission
    expect((await set('PERMISSION_READ', '1')).status).toBe(200)
    expect(await given()).toBe('PERMISSION_READ')
    expect((await read(id)).resourceVersion).toBe('2')
    expect((await set('PERMISSION_READ', '2')).body.message).toContain('nothing to change')
    expect((await set('PERMISSION_ADMIN', '1')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await set('PERMISSION_ADMIN', '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await set('PERMISSION_WRITE', '2')).status).toBe(200)
    expect(await given()).toBe('PERMISSION_WRITE')
    expect((await set('', '3')).status).toBe(200)
    expect(await given()).toBeUndefined()
    expect((await set('', '4')).body.message).toContain('nothing to change')

    expect((await set('PERMISSION_READ', '1', owner, namespace, admin.id)).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await set('PERMISSION_READ', '4', owner, 'missing.aaaaa')).status).toBe(404)
    expect((await set('', '4', owner, 'missing.aaaaa')).status).toBe(404)
    expect((await set('PERMISSION_READ', '1', owner, namespace, stranger.id)).status).toBe(404)
    expect((await set('PERMISSION_READ', '4', stranger)).status).toBe(404)
  })

  test('is for admins of that namespace, who have nothing to give on another', async () => {
    const [own, other] = [await newNamespace('own'), await newNamespace('other')]
    const boss = await api.newUser('aaaaa', 'read')
    const reader = await api.newUser('aaaaa', 'read')
    const id = await newUser('friend@example.test')
    const request = { access: { permission: 'PERMISSION_ADMIN' }, resourceVersion: '1' }
    const grant = (who: Principal, on: string, to: string) =>
      post(`/cloud/namespaces/${on}/users/${to}/access`, request, who)
    await grant(owner, own, boss.id)
    const readOnly = { access: { permission: 'PERMISSION_WRITE' }, resourceVersion: '1' }
    await post(`/cloud/namespaces/${own}/users/${reader.id}/access`, readOnly)
    expect((await grant(boss, own, id)).status).toBe(200)
    expect((await grant(boss, other, boss.id)).status).toBe(404)
    expect((await grant(reader, own, reader.id)).body.code).toBe(status.PERMISSION_DENIED)
    // Over the users' own methods it is nobody.
    const spec = { email: `${boss.id}@example.test`, access: access('ADMIN') }
    expect((await post(`/cloud/users/${boss.id}`, { spec, resourceVersion: '2' }, boss)).status).toBe(403)
    expect((await post('/cloud/users', { spec: { ...spec, email: 'x@example.test' } }, boss)).status).toBe(403)
  })
})
