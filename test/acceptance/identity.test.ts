import type { CloudOperationsClient } from '@temporalio/cloud'
import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { onBoth } from './both-transports.ts'
import { CloudApi } from './cloud-api.ts'
import { cloudMethod } from './contract.ts'
import { code, describeThrough, outcome, signalThrough } from './edge.ts'
import { http } from './http.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { operator } from './operator.ts'
import { productUnderTest } from './product-under-test.ts'
import { createServiceAccount, invitationToken, issueCertificate, signUp, type Tenant } from './tenant.ts'
import { measurements, withinPromise } from './within.ts'

const { identity, operation } = temporal.api.cloud
const { Permission } = identity.v1.NamespaceAccess
const { Role } = identity.v1.AccountAccess
const fulfilled = { asyncOperation: { state: operation.v1.AsyncOperation.State.STATE_FULFILLED } }

/** Users, groups and the account through npm @temporalio/cloud, over TLS. */
let tenant: Tenant
let namespace: Namespace
let client: CloudOperationsClient
let cloud: CloudOperationsClient['cloudService']

beforeAll(async () => {
  const { addresses } = await productUnderTest()
  tenant = await signUp('People')
  namespace = await createNamespace(tenant)
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = addresses.caFile
  const { CloudOperationsClient, CloudOperationsConnection } = await import('@temporalio/cloud')
  const address = addresses.grpcTls.replace('127.0.0.1', 'localhost')
  const connection = await CloudOperationsConnection.connect({ address, apiKey: tenant.api.token })
  client = new CloudOperationsClient({ connection })
  cloud = client.cloudService
})

afterAll(async () => {
  await client.connection.close()
  console.log(measurements())
})

const account = (role: number) => ({ accountAccess: { role } })

/** A user of the tenant who accepted the invitation: its id and its first key. */
async function newUser(email: string, role = Role.ROLE_READ): Promise<{ readonly id: string; readonly token: string }> {
  const created = await cloud.createUser({ spec: { email, access: account(role) } })
  expect(created).toMatchObject(fulfilled)
  const invitation = await until(`the mail to ${email} is out`, () => invitationToken(email).catch(() => undefined))
  const { addresses, ca } = await productUnderTest()
  const body = { token: invitation }
  const accepted = await http(`${addresses.https}/v1/invitations/accept`, { method: 'POST', body, ca })
  expect(accepted).toMatchObject({ status: 200, json: { user: { id: created.userId, email } } })
  const { apiKey } = accepted.json as unknown as { apiKey: { token: string } }
  expect((await http(`${addresses.https}/v1/invitations/accept`, { method: 'POST', body, ca })).status).toBe(401)
  return { id: created.userId, token: apiKey.token }
}

test('a user: invited by mail, changed, given access, deleted', async () => {
  const { id: userId, token } = await newUser('grace@example.com')
  const { user } = await cloud.getUser({ userId })
  expect(user).toMatchObject({ id: userId, spec: { email: 'grace@example.com' }, invitation: null })
  expect((await cloud.getUsers({ email: 'grace@example.com' })).users).toHaveLength(1)
  const spec = { email: 'grace@example.com', access: account(Role.ROLE_DEVELOPER) }
  expect(await cloud.updateUser({ userId, spec, resourceVersion: '1' })).toMatchObject(fulfilled)
  const access = { permission: Permission.PERMISSION_READ }
  const grant = { namespace: namespace.id, userId, access, resourceVersion: '2' }
  expect(await cloud.setUserNamespaceAccess(grant)).toMatchObject(fulfilled)
  const { users } = await cloud.getUserNamespaceAssignments({ namespace: namespace.id })
  expect(users.map(({ id, inheritedAccess }) => [id, inheritedAccess]).toSorted()).toEqual(
    [
      [tenant.userId, true],
      [userId, false],
    ].toSorted(),
  )
  const me = new CloudApi(token)
  expect((await me.answer('GET', '/cloud/current-identity')).status).toBe(200)
  expect(await cloud.deleteUser({ userId, resourceVersion: '3' })).toMatchObject(fulfilled)
  expect((await me.answer('GET', '/cloud/current-identity')).status).toBe(401)
  await expect(cloud.getUser({ userId })).rejects.toMatchObject({ code: code.notFound })
})

test('the last account owner stays', async () => {
  const last = cloud.deleteUser({ userId: tenant.userId, resourceVersion: '1' })
  await expect(last).rejects.toMatchObject({ code: 9, details: expect.stringContaining('last account owner') })
})

test('what a group may, its members may: at the edge within the promised time', async () => {
  const { id: userId, token } = await newUser('hopper@example.com')
  const robot = await createServiceAccount(tenant, 'robot')
  const spec = { displayName: 'builders', cloudGroup: {} }
  const { groupId, asyncOperation } = await cloud.createUserGroup({ spec })
  expect({ asyncOperation }).toMatchObject(fulfilled)
  const set = (permission: number, resourceVersion: string) => () =>
    cloud.setUserGroupNamespaceAccess({
      namespace: namespace.id,
      groupId,
      resourceVersion,
      ...(permission === 0 ? {} : { access: { permission } }),
    })
  const read = { ask: () => outcome(describeThrough(namespace, { token })) }
  const write = { ask: () => outcome(signalThrough(namespace, { token })) }
  const memberId = { userId }
  await set(Permission.PERMISSION_READ, '1')()
  const join = () => cloud.addUserGroupMember({ groupId, memberId })
  await withinPromise('a member joins', { change: join, ...read, from: code.denied, to: code.ok })
  const { groups } = await cloud.getUserGroupNamespaceAssignments({ namespace: namespace.id })
  expect(groups).toMatchObject([{ id: groupId, displayName: 'builders', inheritedAccess: false }])
  const raise = set(Permission.PERMISSION_WRITE, '2')
  await withinPromise('a group is raised', { change: raise, ...write, from: code.denied, to: code.notFound })
  expect((await cloud.getUserGroupMembers({ groupId })).members).toMatchObject([{ memberId: { userId } }])
  const leave = () => cloud.removeUserGroupMember({ groupId, memberId })
  await withinPromise('a member leaves', { change: leave, ...read, from: code.ok, to: code.denied })
  await withinPromise('a member is back', { change: join, ...read, from: code.denied, to: code.ok })
  const remove = () => cloud.deleteUserGroup({ groupId, resourceVersion: '3' })
  await withinPromise('a group is deleted', { change: remove, ...read, from: code.ok, to: code.denied })
  expect((await cloud.getUserGroups({})).groups).toEqual([])

  const { serviceAccountId } = robot
  const access = { permission: Permission.PERMISSION_WRITE }
  const grant = { namespace: namespace.id, serviceAccountId, access, resourceVersion: '1' }
  expect(await cloud.setServiceAccountNamespaceAccess(grant)).toMatchObject(fulfilled)
  const assigned = await cloud.getServiceAccountNamespaceAssignments({ namespace: namespace.id })
  expect(assigned.serviceAccounts).toMatchObject([{ id: serviceAccountId, name: 'robot' }])
})

test('a group changes, and makes its members owners when an owner says so', async () => {
  const { id: userId, token } = await newUser('lovelace@example.com')
  const member = new CloudApi(token)
  const { groupId } = await cloud.createUserGroup({ spec: { displayName: 'council', cloudGroup: {} } })
  await cloud.addUserGroupMember({ groupId, memberId: { userId } })
  const create = () => member.answer('POST', '/cloud/user-groups', { spec: { displayName: 'mine', cloudGroup: {} } })
  expect((await create()).status).toBe(403)
  const spec = { displayName: 'council', cloudGroup: {}, access: account(Role.ROLE_OWNER) }
  expect(await cloud.updateUserGroup({ groupId, spec, resourceVersion: '1' })).toMatchObject(fulfilled)
  expect(await cloud.getUserGroup({ groupId })).toMatchObject({
    group: { spec: { displayName: 'council', access: {} } },
  })
  expect((await create()).status).toBe(200)
})

test('the account keeps the client CA of its metrics, byte for byte', async () => {
  const { ca } = await issueCertificate(tenant, 'metrics')
  const acceptedClientCa = Buffer.from(ca.trimEnd())
  const { account: before } = await cloud.getAccount({})
  const resourceVersion = before?.resourceVersion ?? ''
  expect(await cloud.updateAccount({ spec: { metrics: { acceptedClientCa } }, resourceVersion })).toMatchObject(
    fulfilled,
  )
  const { account: after } = await cloud.getAccount({})
  expect(Buffer.from(after?.spec?.metrics?.acceptedClientCa ?? []).equals(acceptedClientCa)).toBe(true)
  const stale = await onBoth(tenant.api.token, cloudMethod('UpdateAccount'), { spec: {}, resourceVersion })
  expect(stale).toMatchObject({ rest: { status: 400, code: 9 }, grpc: { code: 9 } })
})

test('an operator lets in again who has no key any more', async () => {
  const before = await invitationToken(tenant.email)
  await operator('POST', `/tenants/${tenant.id}/invite-user`, { email: tenant.email })
  const token = await until('the mail is out', async () => {
    const latest = await invitationToken(tenant.email)
    return latest === before ? undefined : latest
  })
  const { addresses, ca } = await productUnderTest()
  const accepted = await http(`${addresses.https}/v1/invitations/accept`, { method: 'POST', body: { token }, ca })
  expect(accepted).toMatchObject({ status: 200, json: { user: { id: tenant.userId } } })
})
