import { randomUUID } from 'node:crypto'
import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Cloud,
  closeClients,
  cloudOf,
  done,
  everyPage,
  nothingToChange,
  refusal,
  refused,
} from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { signUp, type Tenant } from '../tenant.ts'

const { identity, resource } = temporal.api.cloud
const { Role } = identity.v1.AccountAccess
const { Permission } = identity.v1.NamespaceAccess
const { RESOURCE_STATE_ACTIVE } = resource.v1.ResourceState

let tenant: Tenant
let namespace: Namespace
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Users')
  namespace = await createNamespace(tenant)
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const account = (role: number) => ({ accountAccess: { role } })

test('a user, from the invitation to nothing', async () => {
  const email = 'ada@example.com'
  const spec = { email, access: account(Role.ROLE_READ) }
  const asyncOperationId = randomUUID()
  const created = await cloud.createUser({ spec, asyncOperationId })
  expect(created.asyncOperation?.id).toBe(asyncOperationId)
  const { userId } = created
  await done(cloud, 'CreateUser', created)
  expect((await cloud.createUser({ spec, asyncOperationId })).userId, 'the same request again').toBe(userId)
  await refused(cloud.createUser({ spec }), refusal.exists)

  const { user } = await cloud.getUser({ userId })
  // Invited is ACTIVE: clients wait for that.
  expect(user).toMatchObject({
    id: userId,
    state: RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    spec: { email, access: { accountAccess: { role: Role.ROLE_READ, roleDeprecated: 'read' } } },
  })
  expect(user?.invitation?.expiredTime).toBeTruthy()
  expect(user?.createdTime).toBeTruthy()
  expect(user?.lastModifiedTime).toBeNull()

  expect((await cloud.getUsers({ email })).users.map(({ id }) => id)).toEqual([userId])
  expect((await cloud.getUsers({ email: 'ada@example.co' })).users, 'the filter is exact').toEqual([])
  const everybody = await everyPage(
    (page) => cloud.getUsers(page),
    ({ users }) => users.map(({ id }) => id),
  )
  expect(everybody.toSorted()).toEqual([tenant.userId, userId].toSorted())

  const resourceVersion = user?.resourceVersion ?? ''
  await nothingToChange(cloud.updateUser({ userId, spec: user?.spec ?? {}, resourceVersion }))
  const developer = { email, access: account(Role.ROLE_DEVELOPER) }
  await done(cloud, 'UpdateUser', cloud.updateUser({ userId, spec: developer, resourceVersion }))
  await refused(cloud.updateUser({ userId, spec, resourceVersion }), refusal.precondition)
  const { user: changed } = await cloud.getUser({ userId })
  expect(changed?.spec?.access?.accountAccess?.role).toBe(Role.ROLE_DEVELOPER)
  expect(changed?.lastModifiedTime).toBeTruthy()

  await done(cloud, 'DeleteUser', cloud.deleteUser({ userId, resourceVersion: changed?.resourceVersion ?? '' }))
  await refused(cloud.getUser({ userId }), refusal.notFound)
  await refused(cloud.deleteUser({ userId, resourceVersion: '9' }), refusal.notFound)
})

test('who has it all carries no namespaces besides', async () => {
  const namespaceAccesses = { [namespace.id]: { permission: Permission.PERMISSION_READ } }
  for (const role of [Role.ROLE_OWNER, Role.ROLE_ADMIN]) {
    const spec = { email: 'mighty@example.com', access: { ...account(role), namespaceAccesses } }
    await refused(cloud.createUser({ spec }), refusal.invalid, 'spec.access.namespace_accesses')
  }
})

test('Terraform: namespace access is set, read as assigned, and reset by sending none', async () => {
  const go = new GoClient(tenant.api.token)
  const spec = { email: 'terra@example.com', access: { accountAccess: { role: 'ROLE_READ' } } }
  const { userId } = await go.done('CreateUser', { spec, asyncOperationId: randomUUID() })
  const version = async () => (await go.call('GetUser', { userId })).user.resourceVersion
  const set = async (access?: object) => ({
    namespace: namespace.id,
    userId,
    resourceVersion: await version(),
    ...(access === undefined ? {} : { access }),
  })
  const write = { permission: 'PERMISSION_WRITE' }
  await go.done('SetUserNamespaceAccess', await set(write))
  expect(await go.refusal('SetUserNamespaceAccess', await set(write))).toMatchObject({
    code: refusal.invalid,
    text: expect.stringContaining('nothing to change'),
  })
  expect((await go.call('GetUser', { userId })).user.spec.access.namespaceAccesses).toEqual({
    [namespace.id]: { ...write, permissionDeprecated: 'write' },
  })
  const { users } = await go.call('GetUsers', { namespace: namespace.id })
  expect(users.map(({ id }: { id: string }) => id)).toContain(userId)
  await go.done('SetUserNamespaceAccess', await set())
  expect((await go.call('GetUser', { userId })).user.spec.access.namespaceAccesses ?? {}).toEqual({})
  await go.done('DeleteUser', { userId, resourceVersion: await version() })
  expect((await go.refusal('GetUser', { userId })).code).toBe(refusal.notFound)
  await go.close()
})

test('an old client names roles and permissions by texts, and finds them again', async () => {
  const tcld = new GoClient(tenant.api.token, goClients.tcld)
  const access = {
    accountAccess: { roleDeprecated: 'developer' },
    namespaceAccesses: { [namespace.id]: { permissionDeprecated: 'read' } },
  }
  const { userId } = await tcld.done('CreateUser', { spec: { email: 'old@example.com', access } })
  const { user } = await tcld.call('GetUser', { userId })
  expect(user.spec.access).toEqual({
    accountAccess: { role: 'ROLE_DEVELOPER', roleDeprecated: 'developer' },
    namespaceAccesses: { [namespace.id]: { permission: 'PERMISSION_READ', permissionDeprecated: 'read' } },
  })
  await tcld.close()
})

test('the last account owner cannot go', async () => {
  const { user } = await cloud.getUser({ userId: tenant.userId })
  const resourceVersion = user?.resourceVersion ?? ''
  await refused(cloud.deleteUser({ userId: tenant.userId, resourceVersion }), refusal.precondition)
  const spec = { email: tenant.email, access: account(Role.ROLE_ADMIN) }
  await refused(cloud.updateUser({ userId: tenant.userId, spec, resourceVersion }), refusal.precondition)
})
