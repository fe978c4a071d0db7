import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

const whoAmI = (token: string) => api.rest(token, 'GET', '/cloud/current-identity')
const account = (role: string) => ({ accountAccess: { role } })

function keySpec(ownerId: string, more: object = {}) {
  const expiryTime = new Date(Date.now() + 3_600_000).toISOString()
  return { ownerId, ownerType: 'OWNER_TYPE_USER', displayName: 'a key', expiryTime, ...more }
}

async function newServiceAccount(spec: object, token = owner.token): Promise<string> {
  const answer = await api.rest(token, 'POST', '/cloud/service-accounts', { spec })
  expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
  return answer.body.serviceAccountId
}

async function newNamespace(name: string): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec })
  expect(answer.status).toBe(200)
  return answer.body.namespace
}

describe('service accounts', () => {
  test('of the whole account: created, read, changed, deleted with their keys', async () => {
    const namespace = await newNamespace('for-robots')
    const access = {
      accountAccess: { role: 'ROLE_DEVELOPER' },
      namespaceAccesses: { [namespace]: { permission: 'PERMISSION_WRITE' } },
    }
    const id = await newServiceAccount({ name: 'robot', description: 'builds', access })
    const url = `/cloud/service-accounts/${id}`
    const { body } = await api.rest(owner.token, 'GET', url)
    expect(body.serviceAccount).toMatchObject({
      id,
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVE',
      spec: {
        name: 'robot',
        access: {
          accountAccess: { role: 'ROLE_DEVELOPER', roleDeprecated: 'developer' },
          namespaceAccesses: { [namespace]: { permission: 'PERMISSION_WRITE', permissionDeprecated: 'write' } },
        },
      },
    })
    expect(body.serviceAccount.spec).not.toHaveProperty('namespaceScopedAccess')

    const spec = keySpec(id, { ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT' })
    const key = await api.rest(owner.token, 'POST', '/cloud/api-keys', { spec })
    expect(key.status).toBe(200)
    expect((await whoAmI(key.body.token)).body.serviceAccount).toEqual(body.serviceAccount)

    const update = (change: object, resourceVersion = '1', token = owner.token) =>
      api.rest(token, 'POST', url, { spec: { ...body.serviceAccount.spec, ...change }, resourceVersion })
    expect((await update({})).body.message).toContain('nothing to change')
    expect((await update({ name: 'robot2' }, '5')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ name: 'robot2' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ name: 'robot2' }, '1', stranger.token)).status).toBe(404)
    expect((await update({ access: { accountAccess: { roleDeprecated: 'read' } } })).status).toBe(200)
    const me = (await whoAmI(key.body.token)).body.serviceAccount.spec.access
    expect(me).toEqual({ accountAccess: { role: 'ROLE_READ', roleDeprecated: 'read' } })

    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=1`)).body.code).toBe(9)
    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=2`)).status).toBe(200)
    expect((await api.rest(owner.token, 'GET', url)).status).toBe(404)
    expect((await whoAmI(key.body.token)).status).toBe(401)
    // Its name is free again.
    await newServiceAccount({ name: 'robot', access: account('ROLE_READ') })
  })

  test('of one namespace: for whoever administers that namespace, and nothing else', async () => {
    const namespace = await newNamespace('scoped')
    const admin = await api.newUser('aaaaa', 'read')
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'admin')",
      [namespace, admin.id],
    )
    const scoped = (permission: string, id = namespace) => ({
      name: `scoped-${permission}`.toLowerCase().replaceAll('_', '-'),
      namespaceScopedAccess: { namespace: id, access: { permission } },
    })
    const id = await newServiceAccount(scoped('PERMISSION_READ'), admin.token)
    const url = `/cloud/service-accounts/${id}`
    const { body } = await api.rest(admin.token, 'GET', url)
    expect(body.serviceAccount.spec).toMatchObject(scoped('PERMISSION_READ'))
    expect(body.serviceAccount.spec).not.toHaveProperty('access')
    const change = { ...scoped('PERMISSION_WRITE'), name: 'renamed' }
    expect((await api.rest(admin.token, 'POST', url, { spec: change, resourceVersion: '1' })).status).toBe(200)
    const toAccount = { name: 'renamed', access: account('ROLE_READ') }
    expect((await api.rest(owner.token, 'POST', url, { spec: toAccount, resourceVersion: '2' })).body.code).toBe(3)

    const refused = (spec: object) => api.rest(admin.token, 'POST', '/cloud/service-accounts', { spec })
    expect((await refused({ name: 'all', access: account('ROLE_READ') })).body.code).toBe(status.PERMISSION_DENIED)
    expect((await refused(scoped('PERMISSION_READ', 'scoped.bbbbb'))).status).toBe(404)
    const missing = { spec: scoped('PERMISSION_READ', 'missing.aaaaa') }
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', missing)).status).toBe(404)
    const { rows } = await api.admin.query(
      "select id from service_accounts where scoped_namespace_id = 'missing.aaaaa'",
    )
    expect(rows).toEqual([])
  })

  test('only an owner makes owners', async () => {
    const admin = await api.newUser('aaaaa', 'admin')
    const spec = { name: 'mighty', access: account('ROLE_OWNER') }
    const create = (token: string) => api.rest(token, 'POST', '/cloud/service-accounts', { spec })
    expect((await create(admin.token)).body.code).toBe(status.PERMISSION_DENIED)
    const id = (await create(owner.token)).body.serviceAccountId
    const url = `/cloud/service-accounts/${id}`
    const lowered = { spec: { name: 'mighty', access: account('ROLE_READ') }, resourceVersion: '1' }
    expect((await api.rest(admin.token, 'POST', url, lowered)).status).toBe(403)
    const key = keySpec(id, { ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT' })
    expect((await api.rest(admin.token, 'POST', '/cloud/api-keys', { spec: key })).status).toBe(403)
    const plain = await newServiceAccount({ name: 'plain', access: account('ROLE_READ') })
    const raised = { spec: { name: 'plain', access: account('ROLE_OWNER') }, resourceVersion: '1' }
    const answer = await api.rest(admin.token, 'POST', `/cloud/service-accounts/${plain}`, raised)
    expect(answer.body.code).toBe(status.PERMISSION_DENIED)
  })

  test.each([
    ['no access', {}, 'spec.access'],
    ['no role', { access: {} }, 'spec.access.account_access.role'],
    [
      'grants of an admin',
      { access: { ...account('ROLE_ADMIN'), namespaceAccesses: { 'x.aaaaa': { permission: 1 } } } },
      'spec.access.namespace_accesses',
    ],
    [
      'no permission',
      { access: { ...account('ROLE_READ'), namespaceAccesses: { 'x.aaaaa': {} } } },
      'spec.access.namespace_accesses',
    ],
  ])('refuses %s', async (_what, more, field) => {
    const answer = await api.rest(owner.token, 'POST', '/cloud/service-accounts', { spec: { name: 'bad', ...more } })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('are listed in their field `service_account`, by tenant', async () => {
    const listed = await api.grpc(owner.token, 'GetServiceAccounts', { pageSize: 2 })
    expect(listed.serviceAccount).toHaveLength(2)
    expect(listed.nextPageToken).not.toBe('')
    const foreign = api.grpc(stranger.token, 'GetServiceAccounts', { pageToken: listed.nextPageToken ?? '' })
    await expect(foreign).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    expect((await api.grpc(stranger.token, 'GetServiceAccounts', {})).serviceAccount).toEqual([])
    const taken = { spec: { name: 'plain', access: account('ROLE_READ') } }
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', taken)).body.code).toBe(
      status.ALREADY_EXISTS,
    )
  })
})
