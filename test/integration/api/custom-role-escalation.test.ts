import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'
import { DelegatingTenant, onAll, onThese, roles, statusOf } from './delegating-tenant.ts'

let api: ApiUnderTest
let tenant: DelegatingTenant
let owner: Principal
let admin: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  tenant = new DelegatingTenant(api, 'aaaaa', owner)
  admin = await api.newUser('aaaaa', 'admin')
})
afterAll(() => api.close())

describe('somebody who makes roles by a custom role', () => {
  test('makes none that gives more than they have', async () => {
    const delegate = await tenant.newDelegate(
      'read',
      onAll('accounts', 'cloud.customrole.create', 'cloud.user.list'),
      onAll('custom-roles', 'cloud.customrole.update'),
    )
    const create = (...permissions: object[]) =>
      statusOf(api.rest(delegate.token, 'POST', roles, { spec: { name: tenant.name(), permissions } }))
    expect(await create(onAll('accounts', 'cloud.user.list'))).toBe(200)
    expect(await create(onAll('accounts', 'cloud.customrole.*'))).toBe(403)
    expect(await create(onAll('accounts', 'cloud.*'))).toBe(403)
    expect(await create(onAll('accounts', 'cloud.user.update'))).toBe(403)
    expect(await create(onAll('namespaces', 'cloud.namespace.get'))).toBe(403)

    const weak = await tenant.newRole(onAll('accounts', 'cloud.user.list'))
    await tenant.hold(delegate, weak)
    const widen = (permission: object) =>
      statusOf(
        api.rest(delegate.token, 'POST', `${roles}/${weak}`, {
          spec: { name: 'wide', permissions: [permission] },
          resourceVersion: '1',
        }),
      )
    expect(await widen(onAll('accounts', 'cloud.*'))).toBe(403)
    expect(await widen(onAll('namespaces', 'cloud.namespace.*'))).toBe(403)
    expect(await widen(onAll('accounts', 'cloud.user.list', 'cloud.user.get'))).toBe(200)
  })
})

describe('somebody who changes users and groups by a custom role', () => {
  const access = (role: string, ...customRoles: string[]) => ({ accountAccess: { role, customRoles } })
  const invite = (token: string, role: string, ...customRoles: string[]) =>
    api.rest(token, 'POST', '/cloud/users', {
      spec: { email: `${tenant.name()}@example.test`, access: access(role, ...customRoles) },
    })

  test('makes nobody stronger than they are, themselves not either', async () => {
    const delegate = await tenant.newDelegate('read', onAll('accounts', 'cloud.user.*'))
    expect(await statusOf(invite(delegate.token, 'ROLE_READ'))).toBe(200)
    for (const role of ['ROLE_DEVELOPER', 'ROLE_FINANCE_ADMIN', 'ROLE_ADMIN', 'ROLE_OWNER']) {
      expect(await statusOf(invite(delegate.token, role)), role).toBe(403)
    }
    const anyRole = await tenant.newRole(onAll('accounts', 'cloud.user.list'))
    expect(await statusOf(invite(delegate.token, 'ROLE_READ', anyRole))).toBe(403)

    const { body } = await api.rest(owner.token, 'GET', `/cloud/users/${delegate.id}`)
    const become = (role: string, ...customRoles: string[]) =>
      statusOf(
        api.rest(delegate.token, 'POST', `/cloud/users/${delegate.id}`, {
          spec: { ...body.user.spec, access: access(role, ...customRoles) },
          resourceVersion: body.user.resourceVersion,
        }),
      )
    const own: string[] = body.user.spec.access.accountAccess.customRoles
    expect(await become('ROLE_ADMIN', ...own)).toBe(403)
    expect(await become('ROLE_READ', ...own, anyRole)).toBe(403)
  })

  test('neither changes nor deletes who is stronger', async () => {
    const delegate = await tenant.newDelegate('read', onAll('accounts', 'cloud.user.*'))
    const [victim, peer] = [await api.newUser('aaaaa', 'developer'), await api.newUser('aaaaa', 'read')]
    for (const { id } of [admin, owner, victim]) {
      const { body } = await api.rest(owner.token, 'GET', `/cloud/users/${id}`)
      const { spec, resourceVersion } = body.user
      const demoted = { spec: { ...spec, access: access('ROLE_METRICS_READ') }, resourceVersion }
      expect(await statusOf(api.rest(delegate.token, 'POST', `/cloud/users/${id}`, demoted))).toBe(403)
      const url = `/cloud/users/${id}?resourceVersion=${resourceVersion}`
      expect(await statusOf(api.rest(delegate.token, 'DELETE', url))).toBe(403)
    }
    expect(await statusOf(api.rest(delegate.token, 'DELETE', `/cloud/users/${peer.id}?resourceVersion=1`))).toBe(200)
  })

  test('does not come to power through a group', async () => {
    const delegate = await tenant.newDelegate('read', onAll('accounts', 'cloud.usergroup.*'))
    const group = async (token: string, name: string, role: string) =>
      api.rest(token, 'POST', '/cloud/user-groups', {
        spec: { displayName: name, cloudGroup: {}, access: access(role) },
      })
    expect(await statusOf(group(delegate.token, 'climbers', 'ROLE_ADMIN'))).toBe(403)
    const admins = (await group(owner.token, 'admins', 'ROLE_ADMIN')).body.groupId
    const readers = (await group(delegate.token, 'readers', 'ROLE_READ')).body.groupId
    const join = (groupId: string) =>
      statusOf(
        api.rest(delegate.token, 'POST', `/cloud/user-groups/${groupId}/members`, {
          memberId: { userId: delegate.id },
        }),
      )
    expect(await join(admins)).toBe(403)
    expect(await join(readers)).toBe(200)
    expect(await statusOf(api.rest(delegate.token, 'DELETE', `/cloud/user-groups/${admins}?resourceVersion=1`))).toBe(
      403,
    )
    expect(await statusOf(api.rest(delegate.token, 'DELETE', `/cloud/user-groups/${readers}?resourceVersion=1`))).toBe(
      200,
    )
  })

  test('lets nobody into a namespace’s data by a certificate who has no access to it', async () => {
    const namespace = await tenant.newNamespace('walled')
    const delegate = await tenant.newDelegate(
      'read',
      onThese('namespaces', [namespace], 'cloud.namespace.get', 'cloud.namespace.update'),
    )
    const update = async (change: object) => {
      const { body } = await api.rest(owner.token, 'GET', `/cloud/namespaces/${namespace}`)
      const { spec, resourceVersion } = body.namespace
      return statusOf(
        api.rest(delegate.token, 'POST', `/cloud/namespaces/${namespace}`, {
          spec: { ...spec, ...change },
          resourceVersion,
        }),
      )
    }
    const mtlsAuth = { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') }
    expect(await update({ mtlsAuth })).toBe(403)
    expect(await update({ retentionDays: 2 })).toBe(200)
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'write')",
      [namespace, delegate.id],
    )
    expect(await update({ mtlsAuth })).toBe(200)
  })

  test('gives no access to a namespace’s data that they do not have', async () => {
    const namespace = await tenant.newNamespace('guarded')
    const delegate = await tenant.newDelegate(
      'read',
      onThese('namespaces', [namespace], 'cloud.namespace.setUserAccess'),
    )
    const other = await api.newUser('aaaaa', 'read')
    const set = (userId: string, permission: string, resourceVersion = '1') =>
      statusOf(
        api.rest(delegate.token, 'POST', `/cloud/namespaces/${namespace}/users/${userId}/access`, {
          access: { permission },
          resourceVersion,
        }),
      )
    expect(await set(delegate.id, 'PERMISSION_READ')).toBe(403)
    expect(await set(other.id, 'PERMISSION_READ')).toBe(403)
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'write')",
      [namespace, delegate.id],
    )
    expect(await set(other.id, 'PERMISSION_ADMIN')).toBe(403)
    expect(await set(other.id, 'PERMISSION_READ')).toBe(200)
    const accounts = `/cloud/namespaces/${namespace}/service-accounts/sa-1/access`
    const grant = { access: { permission: 'PERMISSION_READ' }, resourceVersion: '1' }
    expect(await statusOf(api.rest(delegate.token, 'POST', accounts, grant))).toBe(403)
  })
})

test('an admin gets no key of a service account that may hand out roles', async () => {
  const roleId = await tenant.newRole(onAll('accounts', 'cloud.customrole.*'))
  const made = await api.rest(owner.token, 'POST', '/cloud/service-accounts', {
    spec: { name: 'delegate', access: { accountAccess: { role: 'ROLE_READ', customRoles: [roleId] } } },
  })
  const keyOf = (token: string) =>
    statusOf(
      api.rest(token, 'POST', '/cloud/api-keys', {
        spec: {
          ownerId: made.body.serviceAccountId,
          ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT',
          displayName: 'key',
          expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
        },
      }),
    )
  expect(await keyOf(admin.token)).toBe(403)
  expect(await keyOf(owner.token)).toBe(200)
})

test('an admin neither disables, enables nor deletes the keys of owners, by role or by group', async () => {
  const made = await api.rest(owner.token, 'POST', '/cloud/service-accounts', {
    spec: { name: 'owning', access: { accountAccess: { role: 'ROLE_OWNER' } } },
  })
  const ofAccount = await api.rest(owner.token, 'POST', '/cloud/api-keys', {
    spec: {
      ownerId: made.body.serviceAccountId,
      ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT',
      displayName: 'leaked',
      expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
      disabled: true,
    },
  })
  expect(ofAccount.status, JSON.stringify(ofAccount.body)).toBe(200)
  const byGroup = await api.newUser('aaaaa', 'read')
  await api.admin.query(
    "insert into user_groups (id, tenant_id, kind, display_name, account_role) values ('grp-owners', 'aaaaa', 'cloud', 'owners', 'owner')",
  )
  await api.admin.query(
    "insert into user_group_members (tenant_id, group_id, user_id) values ('aaaaa', 'grp-owners', $1)",
    [byGroup.id],
  )
  const flip = async (token: string, keyId: string) => {
    const { body } = await api.rest(token, 'GET', `/cloud/api-keys/${keyId}`)
    const { spec, resourceVersion } = body.apiKey
    const changed = { spec: { ...spec, disabled: !(spec.disabled ?? false) }, resourceVersion }
    return statusOf(api.rest(token, 'POST', `/cloud/api-keys/${keyId}`, changed))
  }
  const drop = (token: string, keyId: string) =>
    statusOf(api.rest(token, 'DELETE', `/cloud/api-keys/${keyId}?resourceVersion=1`))
  for (const keyId of [owner.keyId, byGroup.keyId, ofAccount.body.keyId]) {
    expect(await flip(admin.token, keyId)).toBe(403)
    expect(await drop(admin.token, keyId)).toBe(403)
  }
  const reader = await api.newUser('aaaaa', 'read')
  expect(await flip(admin.token, reader.keyId)).toBe(200)
  expect(await drop(byGroup.token, byGroup.keyId)).toBe(200)
  expect(await drop(owner.token, ofAccount.body.keyId)).toBe(200)
  const another = await api.newUser('aaaaa', 'admin')
  expect(await drop(another.token, another.keyId)).toBe(200)
})
