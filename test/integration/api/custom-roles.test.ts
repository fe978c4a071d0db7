import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { findPrincipals } from '#libs/store/principals'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'
import { DelegatingTenant, onAll, onThese, roles, statusOf } from './delegating-tenant.ts'

let api: ApiUnderTest
let tenant: DelegatingTenant
let owner: Principal
let admin: Principal
let reader: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  tenant = new DelegatingTenant(api, 'aaaaa', owner)
  admin = await api.newUser('aaaaa', 'admin')
  reader = await api.newUser('aaaaa', 'read')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

describe('a custom role', () => {
  test('is created, read, changed and deleted, and gets its spelling back', async () => {
    const spec = {
      name: 'reader of all',
      description: 'looks',
      permissions: [onAll('accounts', 'cloud.account.get', 'cloud.user.*'), onAll('namespace', 'cloud.namespace.get')],
    }
    const created = await api.rest(owner.token, 'POST', roles, { spec })
    expect(created).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
    const url = `${roles}/${created.body.roleId}`
    const { body } = await api.rest(reader.token, 'GET', url)
    expect(body.customRole).toEqual({
      id: created.body.roleId,
      resourceVersion: '1',
      spec,
      state: 'RESOURCE_STATE_ACTIVE',
      createdTime: expect.any(String),
    })

    const update = (change: object, resourceVersion = '1', token = owner.token) =>
      api.rest(token, 'POST', url, { spec: { ...spec, ...change }, resourceVersion })
    expect((await update({})).body).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('nothing to change'),
    })
    expect((await update({ name: 'x' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ name: 'x' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect(await statusOf(update({ name: 'x' }, '1', stranger.token))).toBe(404)
    expect(await statusOf(update({ name: 'x' }, '1', reader.token))).toBe(403)
    expect(await statusOf(update({ name: 'x', description: '' }))).toBe(200)
    const changed = (await api.grpc(owner.token, 'GetCustomRole', { roleId: created.body.roleId })).customRole
    expect(changed).toMatchObject({ resourceVersion: '2', spec: { name: 'x', description: '' } })
    expect(changed?.lastModifiedTime).toBeTruthy()

    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=1`)).body.code).toBe(9)
    expect(await statusOf(api.rest(stranger.token, 'DELETE', `${url}?resourceVersion=2`))).toBe(404)
    expect(await statusOf(api.rest(reader.token, 'DELETE', `${url}?resourceVersion=2`))).toBe(403)
    expect(await statusOf(api.rest(owner.token, 'DELETE', `${url}?resourceVersion=2`))).toBe(200)
    expect(await statusOf(api.rest(owner.token, 'GET', url))).toBe(404)
    expect(await statusOf(api.rest(owner.token, 'DELETE', `${url}?resourceVersion=2`))).toBe(404)
  })

  test('has a name of its own, once; a repeated request is the same operation', async () => {
    const request = {
      spec: { name: 'once', permissions: [onAll('accounts', 'cloud.account.get')] },
      asyncOperationId: 'make-once',
    }
    const first = await api.rest(owner.token, 'POST', roles, request)
    const again = await api.rest(owner.token, 'POST', roles, request)
    expect(again.body.roleId).toBe(first.body.roleId)
    const taken = await api.rest(owner.token, 'POST', roles, { spec: request.spec })
    expect(taken).toMatchObject({ status: 409, body: { code: status.ALREADY_EXISTS } })
    expect(await statusOf(api.rest(stranger.token, 'POST', roles, { spec: request.spec }))).toBe(200)
    const other = await tenant.newRole(onAll('accounts', 'cloud.account.get'))
    const renamed = await api.rest(owner.token, 'POST', `${roles}/${other}`, {
      spec: request.spec,
      resourceVersion: '1',
    })
    expect(renamed.status).toBe(409)
  })

  test.each<[string, object, RegExp]>([
    ['no spec', {}, /spec.*must be given/],
    ['no permission', { spec: { name: 'a' } }, /at least one permission/],
    [
      'a type that there is not',
      { spec: { name: 'a', permissions: [onAll('projects', 'cloud.*')] } },
      /accounts, namesp/,
    ],
    [
      'an action that there is not',
      { spec: { name: 'a', permissions: [onAll('accounts', 'cloud.apikey.create')] } },
      /invalid action: cloud\.apikey\.create for resource type: accounts; known are cloud\.account\.get/,
    ],
    [
      'an action of another type',
      { spec: { name: 'a', permissions: [onAll('accounts', 'cloud.namespace.get')] } },
      /invalid action: cloud\.namespace\.get for resource type: accounts/,
    ],
    [
      'ids and all',
      {
        spec: {
          name: 'a',
          permissions: [
            { resources: { resourceType: 'accounts', allowAll: true, resourceIds: ['aaaaa'] }, actions: ['cloud.*'] },
          ],
        },
      },
      /resource_ids must be empty/,
    ],
    [
      'a foreign account',
      { spec: { name: 'a', permissions: [onThese('accounts', ['bbbbb'], 'cloud.*')] } },
      /not found/,
    ],
    [
      'a foreign namespace',
      { spec: { name: 'a', permissions: [onThese('namespaces', ['x.bbbbb'], 'cloud.*')] } },
      /namespace .*x\.bbbbb.* not found/,
    ],
  ])('is refused with %s', async (_, request, message) => {
    const answer = await api.rest(owner.token, 'POST', roles, request)
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(JSON.stringify(answer.body)).toMatch(message)
  })

  test('names namespaces that are there', async () => {
    const spec = { name: 'ghost', permissions: [onThese('namespaces', ['ghost.aaaaa'], 'cloud.namespace.get')] }
    expect(await statusOf(api.rest(owner.token, 'POST', roles, { spec }))).toBe(404)
  })

  test('is the owners’ to make, and nobody’s without a key', async () => {
    const request = { spec: { name: 'mine', permissions: [onAll('accounts', 'cloud.account.get')] } }
    expect(await statusOf(api.rest(admin.token, 'POST', roles, request))).toBe(403)
    expect(await statusOf(api.rest(reader.token, 'POST', roles, request))).toBe(403)
    expect(await statusOf(api.rest('', 'POST', roles, request))).toBe(401)
    expect(await statusOf(api.rest('', 'GET', roles))).toBe(401)
    const metrics = await api.newUser('aaaaa', 'metrics_read')
    expect(await statusOf(api.rest(metrics.token, 'GET', roles))).toBe(403)
  })

  test('stands in lists page by page, over gRPC alike', async () => {
    for (let made = 0; made < 3; made += 1) await tenant.newRole(onAll('accounts', 'cloud.account.get'))
    const all = (await api.grpc(owner.token, 'GetCustomRoles', {})).customRoles ?? []
    const ids: unknown[] = []
    let pageToken = ''
    do {
      const page = await api.grpc(owner.token, 'GetCustomRoles', { pageSize: 2, pageToken })
      ids.push(...(page.customRoles ?? []).map(({ id }) => id))
      pageToken = page.nextPageToken ?? ''
    } while (pageToken !== '')
    expect(ids).toEqual(all.map(({ id }) => id))
    expect(ids).toEqual(ids.toSorted())
    const foreign = await api.grpc(stranger.token, 'GetCustomRoles', {})
    expect(foreign.customRoles?.some(({ id }) => ids.includes(id))).toBe(false)
    const [id] = ids
    expect(await statusOf(api.rest(stranger.token, 'GET', `${roles}/${id}`))).toBe(404)
  })

  test('leaves nothing behind in a dry run or when there is no room', async () => {
    const full = await api.newTenant('ccccc')
    await api.admin.query(
      `insert into custom_roles (id, tenant_id, name, permissions)
       select 'role-full' || n, 'ccccc', 'full' || n, '[]' from generate_series(1, 100) n`,
    )
    const request = { spec: { name: 'one more', permissions: [onAll('accounts', 'cloud.account.get')] } }
    const refused = await api.rest(full.token, 'POST', roles, request)
    expect(refused.body).toMatchObject({ code: status.FAILED_PRECONDITION, message: expect.stringContaining('100') })
  })
})

describe('what a custom role gives', () => {
  test('acts at once, and only on what it names', async () => {
    const [first, second] = [await tenant.newNamespace('one'), await tenant.newNamespace('two')]
    const read = (token: string, id: string) => statusOf(api.rest(token, 'GET', `/cloud/namespaces/${id}`))
    const delegate = await api.newUser('aaaaa', 'read')
    expect([await read(delegate.token, first), await read(delegate.token, second)]).toEqual([404, 404])
    const roleId = await tenant.newRole(onThese('namespaces', [first], 'cloud.namespace.get', 'cloud.namespace.list'))
    await tenant.hold(delegate, roleId)
    expect([await read(delegate.token, first), await read(delegate.token, second)]).toEqual([200, 404])
    const list = async () =>
      (await api.grpc(delegate.token, 'GetNamespaces', {})).namespaces?.map(({ namespace }) => namespace)
    expect(await list()).toEqual([first])
    expect(await statusOf(api.rest(delegate.token, 'DELETE', `/cloud/namespaces/${first}?resourceVersion=1`))).toBe(403)

    const { body } = await api.rest(owner.token, 'GET', `${roles}/${roleId}`)
    const spec = { ...body.customRole.spec, permissions: [onAll('namespaces', 'cloud.namespace.*')] }
    expect(await statusOf(api.rest(owner.token, 'POST', `${roles}/${roleId}`, { spec, resourceVersion: '1' }))).toBe(
      200,
    )
    expect(await read(delegate.token, second)).toBe(200)
    expect(await list()).toEqual(expect.arrayContaining([first, second]))

    expect(await statusOf(api.rest(owner.token, 'DELETE', `${roles}/${roleId}?resourceVersion=2`))).toBe(200)
    expect([await read(delegate.token, first), await read(delegate.token, second)]).toEqual([404, 404])
    const { rows } = await api.admin.query('select from principal_custom_roles where role_id = $1', [roleId])
    expect(rows).toHaveLength(0)
  })

  test('is read once a call, however many groups hold it', async () => {
    const member = await api.newUser('aaaaa', 'read')
    const roleId = await tenant.newRole(onAll('namespaces', 'cloud.namespace.get'))
    for (const name of ['one', 'two']) {
      const groupId = `grp-held-${name}`
      await api.admin.query(
        "insert into user_groups (id, tenant_id, kind, display_name) values ($1, 'aaaaa', 'cloud', $1)",
        [groupId],
      )
      await api.admin.query("insert into user_group_members (tenant_id, group_id, user_id) values ('aaaaa', $1, $2)", [
        groupId,
        member.id,
      ])
      await tenant.hold({ id: groupId }, roleId)
    }
    await tenant.hold(member, roleId)
    const database = new Database({ url: api.roleUrl('aqueduct_api'), poolSize: 1, applicationName: 'test' })
    try {
      const principals = await database.ofTenant('aaaaa', (executor) =>
        findPrincipals(executor, 'aaaaa', [member.keyId]),
      )
      expect(principals.get(member.keyId)?.customPermissions).toHaveLength(1)
    } finally {
      await database.close()
    }
  })

  test('reaches its holder through a group, too', async () => {
    const namespace = await tenant.newNamespace('grouped')
    const member = await api.newUser('aaaaa', 'read')
    await api.admin.query(
      "insert into user_groups (id, tenant_id, kind, display_name) values ('grp-1', 'aaaaa', 'cloud', 'team')",
    )
    await api.admin.query(
      "insert into user_group_members (tenant_id, group_id, user_id) values ('aaaaa', 'grp-1', $1)",
      [member.id],
    )
    await tenant.hold({ id: 'grp-1' }, await tenant.newRole(onThese('namespaces', [namespace], 'cloud.namespace.get')))
    expect(await statusOf(api.rest(member.token, 'GET', `/cloud/namespaces/${namespace}`))).toBe(200)
  })

  test('never crosses tenants, not even with a row that says so', async () => {
    const foreign = await api.rest(stranger.token, 'POST', '/cloud/namespaces', {
      spec: { name: 'theirs', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } },
    })
    const delegate = await tenant.newDelegate('read', onAll('namespaces', 'cloud.*'))
    await api.admin.query(
      'update custom_roles set permissions = $1 where id in (select role_id from principal_custom_roles where principal_id = $2)',
      [
        JSON.stringify([
          {
            resourceType: 'namespace',
            resourceTypeAsSent: 'namespaces',
            allowAll: false,
            resourceIds: [foreign.body.namespace],
            actions: ['cloud.*'],
          },
          {
            resourceType: 'account',
            resourceTypeAsSent: 'accounts',
            allowAll: false,
            resourceIds: ['bbbbb'],
            actions: ['cloud.*'],
          },
        ]),
        delegate.id,
      ],
    )
    expect(await statusOf(api.rest(delegate.token, 'GET', `/cloud/namespaces/${foreign.body.namespace}`))).toBe(404)
    expect((await api.grpc(delegate.token, 'GetNamespaces', {})).namespaces ?? []).toEqual([])
    expect(await statusOf(api.rest(delegate.token, 'POST', '/cloud/account', { spec: {}, resourceVersion: '1' }))).toBe(
      403,
    )
  })
})

describe('who holds a custom role', () => {
  const access = (role: string, ...customRoles: string[]) => ({ accountAccess: { role, customRoles } })
  const serviceAccounts = '/cloud/service-accounts'

  test('service accounts of the whole account may; of one namespace may not', async () => {
    const roleId = await tenant.newRole(onAll('accounts', 'cloud.auditlog.list'))
    const made = await api.rest(owner.token, 'POST', serviceAccounts, {
      spec: { name: 'holder', access: access('ROLE_READ', roleId) },
    })
    expect(made.status).toBe(200)
    const { body } = await api.rest(owner.token, 'GET', `${serviceAccounts}/${made.body.serviceAccountId}`)
    expect(body.serviceAccount.spec.access.accountAccess.customRoles).toEqual([roleId])
    const namespace = await tenant.newNamespace('scoped-holder')
    const scoped = await api.rest(owner.token, 'POST', serviceAccounts, {
      spec: {
        name: 'scoped holder',
        access: access('ROLE_READ', roleId),
        namespaceScopedAccess: { namespace, access: { permission: 'PERMISSION_READ' } },
      },
    })
    expect(scoped.status).toBe(400)
    const ghost = { spec: { name: 'ghost holder', access: access('ROLE_READ', 'role-ghost') } }
    expect(await statusOf(api.rest(owner.token, 'POST', serviceAccounts, ghost))).toBe(404)
  })

  test('only owners, and whom they let, hand them out', async () => {
    const roleId = await tenant.newRole(onAll('accounts', 'cloud.auditlog.list'))
    const make = (token: string, name: string, ...ids: string[]) =>
      statusOf(api.rest(token, 'POST', serviceAccounts, { spec: { name, access: access('ROLE_READ', ...ids) } }))
    expect(await make(admin.token, 'by admin', roleId)).toBe(403)
    expect(await make(admin.token, 'by admin')).toBe(200)
    const assigner = await tenant.newDelegate('admin', onAll('accounts', 'cloud.customrole.assign'))
    expect(await make(assigner.token, 'by assigner', roleId)).toBe(200)
    const beyond = await tenant.newRole(onAll('accounts', 'cloud.customrole.create'))
    expect(await make(assigner.token, 'beyond', beyond)).toBe(403)
  })
})
