import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import type { RpcName } from '#libs/cloud-api'
import { Database } from '#libs/store'
import { settleNamespace } from '#libs/store/namespaces'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let admin: Principal
let granted: Principal
let grouped: Principal
let both: Principal
let nobody: Principal
let stranger: Principal
let namespace: string
const robots: Record<string, string> = {}
const groups: Record<string, string> = {}

const post = (url: string, body: object, { token } = owner) => api.rest(token, 'POST', url, body)
const get = (url: string, { token } = owner) => api.rest(token, 'GET', url)
const access = (role: string, more: object = {}) => ({ accountAccess: { role: `ROLE_${role}` }, ...more })
const on = (permission: string, id = namespace) => ({
  namespaceAccesses: { [id]: { permission: `PERMISSION_${permission}` } },
})
const allow = (kind: string, id: string, permission: string, resourceVersion: string, who = owner, ns = namespace) =>
  post(
    `/cloud/namespaces/${ns}/${kind}/${id}/access`,
    { ...(permission === '' ? {} : { access: { permission: `PERMISSION_${permission}` } }), resourceVersion },
    who,
  )

async function newNamespace(name: string): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  return (await post('/cloud/namespaces', { spec })).body.namespace
}

async function newRobot(name: string, spec: object): Promise<void> {
  const answer = await post('/cloud/service-accounts', { spec: { name, ...spec } })
  expect(answer.status).toBe(200)
  robots[name] = answer.body.serviceAccountId
}

async function newGroup(name: string, spec: object, members: readonly Principal[] = []): Promise<void> {
  const answer = await post('/cloud/user-groups', { spec: { displayName: name, cloudGroup: {}, access: spec } })
  expect(answer.status).toBe(200)
  groups[name] = answer.body.groupId
  for (const { id } of members) await post(`/cloud/user-groups/${groups[name]}/members`, { memberId: { userId: id } })
}

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  admin = await api.newUser('aaaaa', 'admin')
  granted = await api.newUser('aaaaa', 'read')
  grouped = await api.newUser('aaaaa', 'read')
  both = await api.newUser('aaaaa', 'developer')
  nobody = await api.newUser('aaaaa', 'developer')
  stranger = await api.newTenant('bbbbb')
  namespace = await newNamespace('assigned')
  await allow('users', granted.id, 'READ', '1')
  await allow('users', both.id, 'READ', '1')
  await newGroup('writers', on('WRITE'), [grouped, both])
  await newGroup('bosses', access('ADMIN'))
  await newGroup('others', access('DEVELOPER'), [nobody])
  await newRobot('direct', { access: access('READ', on('WRITE')) })
  await newRobot('mighty', { access: access('ADMIN') })
  await newRobot('plain', { access: access('DEVELOPER') })
  await newRobot('scoped', { namespaceScopedAccess: { namespace, access: { permission: 'PERMISSION_READ' } } })
})
afterAll(() => api.close())

const lists: readonly [RpcName, string, string][] = [
  ['GetUserNamespaceAssignments', 'user-assignments', 'users'],
  ['GetServiceAccountNamespaceAssignments', 'service-account-assignments', 'serviceAccounts'],
  ['GetUserGroupNamespaceAssignments', 'user-group-assignments', 'groups'],
]

/** What an answer says, without what each test knows anyhow. */
function summary(items: readonly Record<string, unknown>[]) {
  return Object.fromEntries(
    items.map((item) => [
      String(item.id),
      [(item.namespaceAccess as { permission: string }).permission.slice(11), item.inheritedAccess === true],
    ]),
  )
}

test('users: by their own grant, or inherited from their role or a group; the strongest counts', async () => {
  const { users } = (await get(`/cloud/namespaces/${namespace}/user-assignments`)).body
  expect(summary(users)).toEqual({
    [owner.id]: ['ADMIN', true],
    [admin.id]: ['ADMIN', true],
    [granted.id]: ['READ', false],
    [grouped.id]: ['WRITE', true],
    [both.id]: ['WRITE', true],
  })
  expect(users.find(({ id }: { id: string }) => id === granted.id)).toMatchObject({
    email: `${granted.id}@example.test`,
    resourceVersion: '2',
  })
})

test('service accounts and groups alike', async () => {
  const { serviceAccounts } = (await get(`/cloud/namespaces/${namespace}/service-account-assignments`)).body
  expect(summary(serviceAccounts)).toEqual({
    [robots.direct ?? '']: ['WRITE', false],
    [robots.mighty ?? '']: ['ADMIN', true],
    [robots.scoped ?? '']: ['READ', false],
  })
  expect(serviceAccounts.map(({ name }: { name: string }) => name).sort()).toEqual(['direct', 'mighty', 'scoped'])
  const answer = (await get(`/cloud/namespaces/${namespace}/user-group-assignments`)).body
  expect(summary(answer.groups)).toEqual({
    [groups.writers ?? '']: ['WRITE', false],
    [groups.bosses ?? '']: ['ADMIN', true],
  })
  expect(answer.groups.map(({ displayName }: { displayName: string }) => displayName).sort()).toEqual([
    'bosses',
    'writers',
  ])
})

test.each(lists)('%s is paged, and bound to its namespace', async (rpc, path, field) => {
  const url = `/cloud/namespaces/${namespace}/${path}`
  const all = (await get(url)).body[field].map(({ id }: { id: string }) => id)
  const ids: string[] = []
  for (let pageToken = ''; ; ) {
    const page = (await api.grpc(owner.token, rpc, { namespace, pageSize: 1, pageToken })) as unknown as Record<
      string,
      { id: string }[]
    > & { nextPageToken: string }
    ids.push(...(page[field] ?? []).map(({ id }) => id))
    pageToken = page.nextPageToken
    if (pageToken === '') break
    const elsewhere = api.grpc(owner.token, rpc, { namespace: 'other.aaaaa', pageSize: 1, pageToken })
    await expect(elsewhere).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  }
  expect(ids).toEqual(all)
  expect(ids).toEqual([...ids].sort())
  expect((await get(url, granted)).status).toBe(200)
  expect((await get(url, nobody)).status).toBe(404)
  expect((await get(url, stranger)).status).toBe(404)
  expect((await get(`/cloud/namespaces/missing.aaaaa/${path}`)).status).toBe(404)
  expect((await get(url, { ...owner, token: '' })).status).toBe(401)
})

test('SetServiceAccountNamespaceAccess gives, changes and takes one permission of an account', async () => {
  const id = robots.plain ?? ''
  const read = async () => (await get(`/cloud/service-accounts/${id}`)).body.serviceAccount
  expect((await allow('service-accounts', id, 'READ', '1')).status).toBe(200)
  expect(await read()).toMatchObject({ resourceVersion: '2', spec: { access: on('READ') } })
  expect((await allow('service-accounts', id, 'READ', '2')).body.message).toContain('nothing to change')
  expect((await allow('service-accounts', id, 'WRITE', '1')).body.code).toBe(status.FAILED_PRECONDITION)
  expect((await allow('service-accounts', id, 'WRITE', '')).body.code).toBe(status.INVALID_ARGUMENT)
  expect((await allow('service-accounts', id, 'WRITE', '2', stranger)).status).toBe(404)
  expect((await allow('service-accounts', id, 'WRITE', '2', granted)).status).toBe(403)
  expect((await allow('service-accounts', id, '', '2')).status).toBe(200)
  expect((await read()).spec.access).not.toHaveProperty('namespaceAccesses')
  expect((await allow('service-accounts', robots.mighty ?? '', 'READ', '1')).body.code).toBe(status.INVALID_ARGUMENT)
  expect((await allow('service-accounts', 'sa-nobody', 'READ', '1')).status).toBe(404)
  const nonsense = { access: { permissionDeprecated: 'emperor' }, resourceVersion: '3' }
  const answer = await post(`/cloud/namespaces/${namespace}/service-accounts/${id}/access`, nonsense)
  expect(answer.body.code).toBe(status.INVALID_ARGUMENT)
})

test('an account of one namespace changes its permission there, and has none elsewhere', async () => {
  const id = robots.scoped ?? ''
  const other = await newNamespace('elsewhere')
  const read = async () => (await get(`/cloud/service-accounts/${id}`)).body.serviceAccount
  expect((await allow('service-accounts', id, 'WRITE', '1')).status).toBe(200)
  expect(await read()).toMatchObject({
    resourceVersion: '2',
    spec: { namespaceScopedAccess: { namespace, access: { permission: 'PERMISSION_WRITE' } } },
  })
  expect((await allow('service-accounts', id, 'WRITE', '2')).body.message).toContain('nothing to change')
  expect((await allow('service-accounts', id, 'WRITE', '2', owner, other)).body.message).toContain(`${namespace} alone`)
  expect((await allow('service-accounts', id, '', '2')).body.code).toBe(status.INVALID_ARGUMENT)
  const repeated = { access: { permission: 'PERMISSION_READ' }, resourceVersion: '2', asyncOperationId: 'lower' }
  const url = `/cloud/namespaces/${namespace}/service-accounts/${id}/access`
  const [first, second] = [await post(url, repeated), await post(url, repeated)]
  expect(first.status).toBe(200)
  expect(second.body).toEqual(first.body)
})

test('grants of users, accounts and groups end with the namespace, and so do the accounts that were for it alone', async () => {
  const provisioner = new Database({
    url: api.roleUrl('aqueduct_provisioner'),
    poolSize: 1,
    applicationName: 'provisioner',
  })
  const proof = systemActor('test').authorize('namespace', 'update', { tenantId: 'aaaaa', namespaceId: namespace })
  const left = async () => {
    const { rows } = await api.admin.query(
      `select left(principal_id, 3) as kind from namespace_grants where namespace_id = $1
       union select 'scoped' from service_accounts where scoped_namespace_id = $1 and deleted_at is null order by 1`,
      [namespace],
    )
    return rows.map(({ kind }) => kind)
  }
  try {
    expect(await left()).toEqual(['grp', 'sa-', 'scoped', 'usr'])
    await api.admin.query("update namespaces set lease_owner = 'test' where id = $1", [namespace])
    const { rows } = await api.admin.query('select generation from namespaces where id = $1', [namespace])
    const fence = { holder: 'test', generation: rows[0].generation }
    await provisioner.all.transaction().execute((trx) => settleNamespace(trx, proof, fence, 'deleted'))
    expect(await left()).toEqual([])
    expect((await get(`/cloud/namespaces/${namespace}/user-assignments`)).status).toBe(404)
  } finally {
    await provisioner.close()
  }
})
