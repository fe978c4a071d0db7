import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

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

const groups = '/cloud/user-groups'
const access = (role: string, more: object = {}) => ({ accountAccess: { role: `ROLE_${role}` }, ...more })
const post = (url: string, body: object, { token } = owner) => api.rest(token, 'POST', url, body)
const get = (url: string, { token } = owner) => api.rest(token, 'GET', url)
const remove = (url: string, { token } = owner, body?: object) => api.rest(token, 'DELETE', url, body)
const read = async (id: string) => (await get(`${groups}/${id}`)).body.group
const whoAmI = async ({ token }: Principal) => (await get('/cloud/account', { ...owner, token })).status
const add = (group: string, userId: string, who = owner) =>
  post(`${groups}/${group}/members`, { memberId: { userId } }, who)
const take = (group: string, userId: string, who = owner) =>
  post(`${groups}/${group}/remove-member`, { memberId: { userId } }, who)

async function newGroup(spec: object, who = owner): Promise<string> {
  const answer = await post(groups, { spec: { cloudGroup: {}, ...spec } }, who)
  expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
  return answer.body.groupId
}

async function newNamespace(name: string, { token } = owner): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const answer = await api.rest(token, 'POST', '/cloud/namespaces', { spec })
  expect(answer.status).toBe(200)
  return answer.body.namespace
}

/** As an identity provider leaves it. */
async function scimGroup(name: string): Promise<string> {
  const id = `grp-${name}`
  await api.admin.query(
    "insert into user_groups (id, tenant_id, kind, display_name, scim_idp_id) values ($1, 'aaaaa', 'scim', $2, $3)",
    [id, name, `idp-${name}`],
  )
  return id
}

describe('user groups', () => {
  test('are created, read, changed and deleted, and always show an access', async () => {
    const namespace = await newNamespace('of-groups')
    const id = await newGroup({ displayName: 'builders' })
    const group = await read(id)
    expect(group).toMatchObject({ id, resourceVersion: '1', state: 'RESOURCE_STATE_ACTIVE' })
    expect(group.spec).toEqual({ displayName: 'builders', access: { accountAccess: {} }, cloudGroup: {} })
    const overGrpc = await api.grpc(owner.token, 'GetUserGroup', { groupId: id })
    expect(overGrpc.group?.spec).toMatchObject({ access: {}, cloudGroup: {} })

    const url = `${groups}/${id}`
    const namespaceAccesses = { [namespace]: { permission: 'PERMISSION_WRITE' } }
    const update = (change: object, resourceVersion: string, who = owner) =>
      post(url, { spec: { ...group.spec, ...change }, resourceVersion }, who)
    expect((await update({}, '1')).body).toMatchObject({
      code: 3,
      message: expect.stringContaining('nothing to change'),
    })
    expect((await update({ displayName: 'makers' }, '9')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ displayName: 'makers' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ displayName: 'makers' }, '1', stranger)).status).toBe(404)
    expect((await update({ displayName: 'makers' }, '1', developer)).status).toBe(403)
    // As Terraform writes "no role": without account_access.
    expect((await update({ displayName: 'makers', access: { namespaceAccesses } }, '1', admin)).status).toBe(200)
    expect(await read(id)).toMatchObject({
      resourceVersion: '2',
      spec: { displayName: 'makers', access: { namespaceAccesses } },
    })
    expect((await update({ displayName: 'makers', access: access('DEVELOPER') }, '2')).status).toBe(200)
    expect((await read(id)).spec.access).toEqual({
      accountAccess: { role: 'ROLE_DEVELOPER', roleDeprecated: 'developer' },
    })
    const { cloudGroup: _, ...google } = { ...group.spec, googleGroup: { emailAddress: 'g@example.test' } }
    const other = { spec: google, resourceVersion: '3' }
    expect((await post(url, other)).body.message).toContain('kind of group cannot be changed')

    await add(id, developer.id)
    expect((await remove(`${url}?resourceVersion=1`)).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await remove(`${url}?resourceVersion=3`, developer)).status).toBe(403)
    expect((await remove(`${url}?resourceVersion=3`, stranger)).status).toBe(404)
    expect((await remove(`${url}?resourceVersion=3`)).status).toBe(200)
    expect((await get(url)).status).toBe(404)
    const { rows } = await api.admin.query(
      `select 1 from user_group_members where group_id = $1 union all
       select 1 from namespace_grants where principal_id = $1 union all
       select 1 from principal_custom_roles where principal_id = $1`,
      [id],
    )
    expect(rows).toEqual([])
    await newGroup({ displayName: 'makers' })
  })

  test('a repeated request is one group; a name that is taken is none', async () => {
    const request = { spec: { displayName: 'once', cloudGroup: {} }, asyncOperationId: 'group-once' }
    const [first, second] = [await post(groups, request), await post(groups, request)]
    expect(second.body).toEqual(first.body)
    expect((await post(groups, { spec: request.spec })).body.code).toBe(status.ALREADY_EXISTS)
    const id = await newGroup({ displayName: 'twice' })
    const taken = { spec: { displayName: 'once', cloudGroup: {} }, resourceVersion: '1' }
    expect((await post(`${groups}/${id}`, taken)).body.code).toBe(status.ALREADY_EXISTS)
    expect((await post(groups, { spec: request.spec }, stranger)).status).toBe(200)
    expect((await post(groups, { spec: request.spec }, developer)).status).toBe(403)
  })

  test.each([
    ['a short name', { displayName: 'ab', cloudGroup: {} }, 'spec.display_name'],
    ['a name with capitals', { displayName: 'Builders', cloudGroup: {} }, 'spec.display_name'],
    ['a long name', { displayName: 'x'.repeat(65), cloudGroup: {} }, 'spec.display_name'],
    ['no kind', { displayName: 'builders2' }, 'spec'],
    ['a SCIM group', { displayName: 'builders2', scimGroup: { idpId: 'x' } }, 'spec.scim_group'],
    ['a Google group without an address', { displayName: 'G', googleGroup: {} }, 'spec.google_group.email_address'],
    [
      'grants beside the role admin',
      {
        displayName: 'builders2',
        cloudGroup: {},
        access: access('ADMIN', { namespaceAccesses: { 'n.aaaaa': { permission: 1 } } }),
      },
      'spec.access.namespace_accesses',
    ],
    [
      'a role that is none',
      { displayName: 'builders2', cloudGroup: {}, access: { accountAccess: { roleDeprecated: 'king' } } },
      'spec.access.account_access.role',
    ],
  ])('refuses %s', async (_what, spec, field) => {
    const answer = await post(groups, { spec })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('of the identity provider: their access changes here, and nothing else', async () => {
    const id = await scimGroup('Everybody')
    const url = `${groups}/${id}`
    const spec = { displayName: 'Everybody', scimGroup: { idpId: 'idp-Everybody' } }
    const withAccess = { spec: { ...spec, access: access('READ') }, resourceVersion: '1' }
    expect((await post(url, withAccess)).status).toBe(200)
    const renamed = { spec: { ...spec, displayName: 'Nobody' }, resourceVersion: '2' }
    expect((await post(url, renamed)).body.message).toContain('identity provider')
    expect((await remove(`${url}?resourceVersion=2`)).body.message).toContain('identity provider')
    expect((await add(id, developer.id)).body.message).toContain('identity provider')
    expect((await take(id, developer.id)).body.message).toContain('identity provider')
  })

  test('are listed by name, page by page, and found by each filter, over gRPC', async () => {
    const tenant = await api.newTenant('ccccc')
    const namespace = await newNamespace('seen', tenant)
    const seen = { namespaceAccesses: { [namespace]: { permission: 'PERMISSION_READ' } } }
    for (const name of ['zebra', 'aardvark', 'monkey']) await newGroup({ displayName: name }, tenant)
    await newGroup({ displayName: 'owl', access: seen }, tenant)
    const google = { displayName: 'Google people', googleGroup: { emailAddress: 'People@example.test' } }
    expect((await post(groups, { spec: google }, tenant)).status).toBe(200)
    const names: string[] = []
    for (let pageToken = ''; ; ) {
      const page = await api.grpc(tenant.token, 'GetUserGroups', { pageSize: 2, pageToken })
      names.push(...(page.groups ?? []).map(({ spec }) => spec?.displayName ?? ''))
      pageToken = page.nextPageToken ?? ''
      if (pageToken === '') break
      const foreign = api.grpc(owner.token, 'GetUserGroups', { pageSize: 2, pageToken })
      await expect(foreign).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    }
    expect(names).toHaveLength(5)
    expect(names.filter((name) => !name.startsWith('G'))).toEqual(['aardvark', 'monkey', 'owl', 'zebra'])
    const found = async (request: object) =>
      ((await api.grpc(tenant.token, 'GetUserGroups', request)).groups ?? []).map(({ spec }) => spec?.displayName)
    expect(await found({ displayName: 'owl' })).toEqual(['owl'])
    expect(await found({ displayName: 'ow' })).toEqual([])
    expect(await found({ namespace })).toEqual(['owl'])
    expect(await found({ namespace: 'of-groups.aaaaa' })).toEqual([])
    expect(await found({ googleGroup: { emailAddress: 'people@example.test' } })).toEqual(['Google people'])
    expect(await found({ scimGroup: { idpId: 'idp-Everybody' } })).toEqual([])
    const ours = await api.grpc(owner.token, 'GetUserGroups', { scimGroup: { idpId: 'idp-Everybody' } })
    expect(ours.groups).toHaveLength(1)
    const metrics = await api.newUser('ccccc', 'metrics_read')
    await expect(api.grpc(metrics.token, 'GetUserGroups', {})).rejects.toMatchObject({ code: status.PERMISSION_DENIED })
  })
})

describe('members', () => {
  test('come and go without a version, and are paged', async () => {
    const id = await newGroup({ displayName: 'choir' })
    const singers: string[] = []
    for (let n = 0; n < 3; n += 1) singers.push((await api.newUser('aaaaa', 'read')).id)
    for (const singer of singers) expect((await add(id, singer)).status).toBe(200)
    const again = await add(id, singers[0] ?? '')
    expect(again.body).toMatchObject({ code: 6, message: expect.stringContaining('nothing to change') })
    expect((await read(id)).resourceVersion).toBe('1')
    const listed: string[] = []
    for (let pageToken = ''; ; ) {
      const page = await api.grpc(owner.token, 'GetUserGroupMembers', { groupId: id, pageSize: 2, pageToken })
      listed.push(...(page.members ?? []).map(({ memberId }) => memberId?.userId ?? ''))
      pageToken = page.nextPageToken ?? ''
      if (pageToken === '') break
    }
    expect(listed).toEqual([...singers].sort())
    expect((await take(id, singers[0] ?? '')).status).toBe(200)
    expect((await take(id, singers[0] ?? '')).status).toBe(404)

    expect((await add(id, stranger.id)).status).toBe(404)
    expect((await add(id, 'usr-nobody')).status).toBe(404)
    expect((await add(id, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await add('grp-nobody', developer.id)).status).toBe(404)
    expect((await add(id, developer.id, developer)).status).toBe(403)
    expect((await add(id, stranger.id, stranger)).status).toBe(404)
    expect((await get(`${groups}/${id}/members`, stranger)).status).toBe(404)
    const robot = await post('/cloud/service-accounts', { spec: { name: 'robot', access: access('READ') } })
    expect((await add(id, robot.body.serviceAccountId)).status).toBe(404)
    const google = { displayName: 'G', googleGroup: { emailAddress: 'g@example.test' } }
    const { groupId } = (await post(groups, { spec: google })).body
    expect((await add(groupId, developer.id)).body.message).toContain('Google')
    const request = { memberId: { userId: developer.id }, asyncOperationId: 'add-once' }
    const [first, second] = [
      await post(`${groups}/${id}/members`, request),
      await post(`${groups}/${id}/members`, request),
    ]
    expect(second.body).toEqual(first.body)
  })

  test('may what the group may, at once and until they leave', async () => {
    const reader = await api.newUser('aaaaa', 'read')
    const id = await newGroup({ displayName: 'risen', access: access('DEVELOPER') })
    const create = async (name: string) => {
      const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
      return (await post('/cloud/namespaces', { spec }, reader)).status
    }
    expect(await whoAmI(reader)).toBe(200)
    expect(await create('before')).toBe(403)
    await add(id, reader.id)
    expect(await create('while')).toBe(200)
    await take(id, reader.id)
    expect(await create('after')).toBe(403)
    await add(id, reader.id)
    expect((await remove(`${groups}/${id}?resourceVersion=1`)).status).toBe(200)
    expect(await create('deleted')).toBe(403)
  })
})

describe('who is no owner makes none', () => {
  test('of a group, by whichever way', async () => {
    const spec = { displayName: 'kings', cloudGroup: {}, access: access('OWNER') }
    expect((await post(groups, { spec }, admin)).body.code).toBe(status.PERMISSION_DENIED)
    const kings = await newGroup(spec)
    const url = `${groups}/${kings}`
    const denied = async (answer: Promise<Answer>, why = 'only account owners') =>
      expect((await answer).body).toMatchObject({
        code: status.PERMISSION_DENIED,
        message: expect.stringContaining(why),
      })
    await denied(add(kings, admin.id, admin))
    await denied(take(kings, owner.id, admin))
    await denied(remove(`${url}?resourceVersion=1`, admin))
    await denied(post(url, { spec: { ...spec, access: access('ADMIN') }, resourceVersion: '1' }, admin))
    const plain = await newGroup({ displayName: 'peasants' }, admin)
    const raised = { spec: { ...spec, displayName: 'peasants' }, resourceVersion: '1' }
    await denied(post(`${groups}/${plain}`, raised, admin), 'may not grant owner')
    // An admin reads it all the same, as everybody does.
    expect((await get(url, admin)).status).toBe(200)
    expect((await add(plain, admin.id, admin)).status).toBe(200)
    // Who is an owner by a group is one.
    await add(kings, admin.id)
    expect((await add(kings, developer.id, admin)).status).toBe(200)
    await take(kings, admin.id)
    await denied(take(kings, developer.id, admin))
    expect((await remove(`${url}?resourceVersion=1`)).status).toBe(200)
  })

  test('SetUserGroupNamespaceAccess gives, changes and takes one permission, and no group of admins has one', async () => {
    const namespace = await newNamespace('granted')
    const other = await newNamespace('untouched')
    const boss = await api.newUser('aaaaa', 'read')
    await post(`/cloud/namespaces/${namespace}/users/${boss.id}/access`, {
      access: { permission: 'PERMISSION_ADMIN' },
      resourceVersion: '1',
    })
    const id = await newGroup({ displayName: 'granted' })
    const set = (permission: string, resourceVersion: string, who = owner, on = namespace, to = id) =>
      post(
        `/cloud/namespaces/${on}/user-groups/${to}/access`,
        { ...(permission === '' ? {} : { access: { permission } }), resourceVersion },
        who,
      )
    expect((await set('PERMISSION_READ', '1', boss)).status).toBe(200)
    expect((await read(id)).spec.access.namespaceAccesses[namespace].permission).toBe('PERMISSION_READ')
    expect((await set('PERMISSION_READ', '2')).body.message).toContain('nothing to change')
    expect((await set('PERMISSION_WRITE', '1')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await set('PERMISSION_WRITE', '2', boss, other)).status).toBe(404)
    expect((await set('PERMISSION_WRITE', '2', stranger)).status).toBe(404)
    expect((await set('PERMISSION_WRITE', '2', developer)).status).toBe(404)
    expect((await set('', '2')).status).toBe(200)
    expect((await read(id)).spec.access).not.toHaveProperty('namespaceAccesses')
    const admins = await newGroup({ displayName: 'admins', access: access('ADMIN') })
    expect((await set('PERMISSION_READ', '1', owner, namespace, admins)).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await set('PERMISSION_READ', '1', owner, namespace, 'grp-nobody')).status).toBe(404)
  })
})

test('what the groups of an account give together has a bound, by whichever way it grows', async () => {
  const { token } = await api.newTenant('reach')
  const rows = (sql: string) => api.admin.query(sql)
  await rows(`insert into users (id, tenant_id, email, account_role)
    select 'usr-c' || i, 'reach', i || '@example.test', 'read' from generate_series(0, 999) i`)
  await rows(`insert into namespaces (id, tenant_id, name, region, spec, created_by, state)
    select 'c' || i || '.reach', 'reach', 'c' || i, 'r', '{}', 'usr-c0', 'active' from generate_series(0, 999) i`)
  await rows(`insert into user_groups (id, tenant_id, kind, display_name, scim_idp_id)
    select 'grp-c' || i, 'reach', 'scim', 'c' || i, 'c' || i from generate_series(0, 1) i`)
  await rows(`insert into user_groups (id, tenant_id, kind, display_name) values ('grp-c2', 'reach', 'cloud', 'c2')`)
  await rows(`insert into user_group_members (tenant_id, group_id, user_id)
    select 'reach', 'grp-c0', 'usr-c' || i from generate_series(0, 997) i union all select 'reach', 'grp-c1', 'usr-c0'`)
  await rows(`insert into namespace_grants (tenant_id, namespace_id, principal_id, permission)
    select 'reach', 'c' || i || '.reach', 'grp-c0', 'read' from generate_series(0, 998) i`)
  // 998 × 999 and both of them, and one: 1,000 less than a million.
  const grant = (group: string, count: number) =>
    api.rest(token, 'POST', `${groups}/${group}`, {
      spec: {
        ...{ displayName: group.slice(4), scimGroup: { idpId: group.slice(4) } },
        access: {
          namespaceAccesses: Object.fromEntries(
            Array.from({ length: count }, (_, i) => [`c${i}.reach`, { permission: 'PERMISSION_READ' }]),
          ),
        },
      },
      resourceVersion: '1',
    })
  const tooMuch = { status: 400, body: { message: expect.stringContaining('more than 1000000 permissions') } }
  expect(await grant('grp-c1', 999)).toMatchObject(tooMuch)
  expect((await grant('grp-c1', 400)).status).toBe(200)
  const join = (group: string, userId: string) =>
    api.rest(token, 'POST', `${groups}/${group}/members`, { memberId: { userId } })
  expect((await join('grp-c2', 'usr-c0')).status).toBe(200)
  const give = (group: string, namespace: string, resourceVersion: string) =>
    api.rest(token, 'POST', `/cloud/namespaces/${namespace}/user-groups/${group}/access`, {
      access: { permission: 'PERMISSION_READ' },
      resourceVersion,
    })
  expect(await give('grp-c0', 'c999.reach', '1')).toMatchObject(tooMuch)
  expect((await give('grp-c2', 'c999.reach', '1')).status).toBe(200)
  const fill = await fetch(`${await api.listen()}/scim/v2/Groups/grp-c1`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
    body: JSON.stringify({ displayName: 'c1', externalId: 'c1', members: [{ value: 'usr-c0' }, { value: 'usr-c1' }] }),
  })
  expect(fill.status).toBe(400)
  await rows(`insert into user_group_members (tenant_id, group_id, user_id)
    select 'reach', 'grp-c2', 'usr-c' || i from generate_series(1, 98) i`)
  expect(await join('grp-c2', 'usr-c99')).toMatchObject(tooMuch)
})
