import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cloud, closeClients, cloudOf, everyPage, refusal, refused } from '../cloud-client.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const { Role } = temporal.api.cloud.identity.v1.AccountAccess
const { Permission } = temporal.api.cloud.identity.v1.NamespaceAccess

/** Who may what in one namespace: users, service accounts and groups, by themselves and by their account role. */
let tenant: Tenant
let namespace: Namespace
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Assigned')
  namespace = await createNamespace(tenant)
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const access = (permission?: number) => ({
  accountAccess: { role: Role.ROLE_READ },
  namespaceAccesses: permission === undefined ? {} : { [namespace.id]: { permission } },
})

test('users', async () => {
  const invite = async (email: string, permission?: number) =>
    (await cloud.createUser({ spec: { email, access: access(permission) } })).userId
  const writer = await invite('writer@example.com', Permission.PERMISSION_WRITE)
  await invite('nobody@example.com')
  const users = await everyPage(
    (page) => cloud.getUserNamespaceAssignments({ namespace: namespace.id, ...page }),
    (page) => page.users,
  )
  const byId = new Map(users.map((user) => [user.id, user]))
  expect([...byId.keys()].toSorted()).toEqual([tenant.userId, writer].toSorted())
  expect(byId.get(writer)).toMatchObject({
    email: 'writer@example.com',
    inheritedAccess: false,
    namespaceAccess: { permission: Permission.PERMISSION_WRITE, permissionDeprecated: 'write' },
  })
  expect(byId.get(tenant.userId)).toMatchObject({ inheritedAccess: true })
  const { user } = await cloud.getUser({ userId: writer })
  expect(byId.get(writer)?.resourceVersion).toBe(user?.resourceVersion)
})

test('service accounts', async () => {
  const robot = await createServiceAccount(tenant, 'reader', { [namespace.id]: 'READ' })
  const scoped = await cloud.createServiceAccount({
    spec: {
      name: 'scoped',
      namespaceScopedAccess: { namespace: namespace.id, access: { permission: Permission.PERMISSION_ADMIN } },
    },
  })
  await createServiceAccount(tenant, 'elsewhere')
  const { serviceAccounts } = await cloud.getServiceAccountNamespaceAssignments({ namespace: namespace.id })
  const found = serviceAccounts.map(({ id, namespaceAccess }) => [id, namespaceAccess?.permission])
  expect(new Map(found as [string, number][])).toEqual(
    new Map([
      [robot.serviceAccountId, Permission.PERMISSION_READ],
      [scoped.serviceAccountId, Permission.PERMISSION_ADMIN],
    ]),
  )
})

test('groups', async () => {
  const make = async (displayName: string, permission?: number) =>
    (await cloud.createUserGroup({ spec: { displayName, cloudGroup: {}, access: access(permission) } })).groupId
  const admins = await make('admins', Permission.PERMISSION_ADMIN)
  await make('others')
  const { groups } = await cloud.getUserGroupNamespaceAssignments({ namespace: namespace.id })
  expect(groups).toMatchObject([
    { id: admins, displayName: 'admins', namespaceAccess: { permission: Permission.PERMISSION_ADMIN } },
  ])
})

test('of a namespace that is not there', async () => {
  const nowhere = { namespace: `nowhere.${tenant.id}` }
  for (const call of [
    () => cloud.getUserNamespaceAssignments(nowhere),
    () => cloud.getServiceAccountNamespaceAssignments(nowhere),
    () => cloud.getUserGroupNamespaceAssignments(nowhere),
  ]) {
    await refused(call(), refusal.notFound)
  }
})
