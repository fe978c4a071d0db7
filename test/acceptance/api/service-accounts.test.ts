import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudApi } from '../cloud-api.ts'
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
import { GoClient } from '../go-client.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { createKey, signUp, type Tenant } from '../tenant.ts'

const { identity, resource } = temporal.api.cloud
const { Role } = identity.v1.AccountAccess
const { Permission } = identity.v1.NamespaceAccess
const { RESOURCE_STATE_ACTIVE } = resource.v1.ResourceState

let tenant: Tenant
let namespace: Namespace
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Robots')
  namespace = await createNamespace(tenant)
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const access = { accountAccess: { role: Role.ROLE_READ } }

test('one of the account, from nothing to nothing, and its keys end with it', async () => {
  const spec = { name: 'deployer', description: 'ships', access }
  const created = await cloud.createServiceAccount({ spec })
  await done(cloud, 'CreateServiceAccount', created)
  const { serviceAccountId } = created
  await refused(cloud.createServiceAccount({ spec }), refusal.exists)
  const { serviceAccount } = await cloud.getServiceAccount({ serviceAccountId })
  expect(serviceAccount).toMatchObject({
    id: serviceAccountId,
    state: RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    spec: { name: 'deployer', description: 'ships', namespaceScopedAccess: null },
  })
  await cloud.createServiceAccount({ spec: { name: 'second', access } })
  const listed = await everyPage(
    (page) => cloud.getServiceAccounts(page),
    (page) => page.serviceAccount.map(({ id }) => id),
  )
  expect(listed).toHaveLength(2)
  expect(listed, 'by id').toEqual(listed.toSorted())

  const resourceVersion = serviceAccount?.resourceVersion ?? ''
  await nothingToChange(
    cloud.updateServiceAccount({ serviceAccountId, spec: serviceAccount?.spec ?? {}, resourceVersion }),
  )
  const update = { serviceAccountId, spec: { ...spec, description: 'ships more' }, resourceVersion }
  await done(cloud, 'UpdateServiceAccount', cloud.updateServiceAccount(update))
  await refused(cloud.updateServiceAccount({ ...update, spec }), refusal.precondition)

  const key = await createKey(tenant, { serviceAccountId })
  const identifies = async () => (await new CloudApi(key.token).answer('GET', '/cloud/current-identity')).status
  expect(await identifies()).toBe(200)
  const version = (await cloud.getServiceAccount({ serviceAccountId })).serviceAccount?.resourceVersion ?? ''
  const gone = cloud.deleteServiceAccount({ serviceAccountId, resourceVersion: version })
  await done(cloud, 'DeleteServiceAccount', gone)
  await refused(cloud.getServiceAccount({ serviceAccountId }), refusal.notFound)
  await refused(cloud.getApiKey({ keyId: key.id }), refusal.notFound)
  expect(await identifies()).toBe(401)
})

test('one of a namespace has that alone, and stays of its kind', async () => {
  const go = new GoClient(tenant.api.token)
  const namespaceScopedAccess = { namespace: namespace.id, access: { permission: 'PERMISSION_WRITE' } }
  const spec = { name: 'scoped', namespaceScopedAccess }
  const { serviceAccountId } = await go.done('CreateServiceAccount', { spec })
  const read = async () => (await go.call('GetServiceAccount', { serviceAccountId })).serviceAccount
  const { spec: shown, resourceVersion } = await read()
  expect(shown).not.toHaveProperty('access')
  expect(shown.namespaceScopedAccess).toMatchObject(namespaceScopedAccess)
  const other = { serviceAccountId, spec: { name: 'scoped', access: { accountAccess: { role: 'ROLE_READ' } } } }
  expect((await go.refusal('UpdateServiceAccount', { ...other, resourceVersion })).code).toBe(refusal.invalid)
  const lower = {
    ...spec,
    namespaceScopedAccess: { ...namespaceScopedAccess, access: { permission: 'PERMISSION_READ' } },
  }
  await go.done('UpdateServiceAccount', { serviceAccountId, spec: lower, resourceVersion })
  expect((await read()).spec.namespaceScopedAccess.access.permission).toBe('PERMISSION_READ')
  await go.close()
})

test('one of a namespace goes with the namespace, and so do its keys', async () => {
  const doomed = await createNamespace(tenant)
  const access = { permission: Permission.PERMISSION_WRITE }
  const { serviceAccountId } = await cloud.createServiceAccount({
    spec: { name: 'doomed', namespaceScopedAccess: { namespace: doomed.id, access } },
  })
  const key = await createKey(tenant, { serviceAccountId })
  const identifies = async () => (await new CloudApi(key.token).answer('GET', '/cloud/current-identity')).status
  expect(await identifies()).toBe(200)
  await tenant.api.delete(doomed.path)
  await refused(cloud.getServiceAccount({ serviceAccountId }), refusal.notFound)
  await refused(cloud.getApiKey({ keyId: key.id }), refusal.notFound)
  expect(await identifies()).toBe(401)
})

test('namespace access: set, the same again, and reset by sending none', async () => {
  const { serviceAccountId } = await cloud.createServiceAccount({ spec: { name: 'granted', access } })
  const read = async () => (await cloud.getServiceAccount({ serviceAccountId })).serviceAccount
  const set = async (permission?: number) => ({
    namespace: namespace.id,
    serviceAccountId,
    resourceVersion: (await read())?.resourceVersion ?? '',
    ...(permission === undefined ? {} : { access: { permission } }),
  })
  const admin = Permission.PERMISSION_ADMIN
  const rpc = 'SetServiceAccountNamespaceAccess'
  await done(cloud, rpc, cloud.setServiceAccountNamespaceAccess(await set(admin)))
  await nothingToChange(cloud.setServiceAccountNamespaceAccess(await set(admin)))
  expect((await read())?.spec?.access?.namespaceAccesses).toMatchObject({
    [namespace.id]: { permission: admin, permissionDeprecated: 'admin' },
  })
  await done(cloud, rpc, cloud.setServiceAccountNamespaceAccess(await set()))
  expect((await read())?.spec?.access?.namespaceAccesses).toEqual({})
})

test('custom roles add to what an account role gives', async () => {
  const permissions = [
    { resources: { resourceType: 'accounts', allowAll: true }, actions: ['cloud.customrole.create'] },
  ]
  const { roleId } = await cloud.createCustomRole({ spec: { name: 'role makers', permissions } })
  const { serviceAccountId } = await cloud.createServiceAccount({ spec: { name: 'plain', access } })
  const { token } = await createKey(tenant, { serviceAccountId })
  const theirs = await cloudOf(token)
  const make = () => theirs.createCustomRole({ spec: { name: 'made by a robot', permissions } })
  await refused(make(), refusal.denied)
  const held = { name: 'plain', access: { accountAccess: { role: Role.ROLE_READ, customRoles: [roleId] } } }
  await done(
    cloud,
    'UpdateServiceAccount',
    cloud.updateServiceAccount({ serviceAccountId, spec: held, resourceVersion: '1' }),
  )
  await done(theirs, 'CreateCustomRole', make())
  const { serviceAccount } = await cloud.getServiceAccount({ serviceAccountId })
  expect(serviceAccount?.spec?.access?.accountAccess?.customRoles).toEqual([roleId])
  // Somebody else's role beside it is taken away by who changes what was read, the deprecated list included.
  const second = await cloud.createCustomRole({ spec: { name: 'second', permissions } })
  const read = async () => (await cloud.getServiceAccount({ serviceAccountId })).serviceAccount
  const setRoles = async (customRoles: string[]) => {
    const present = await read()
    const spec = present?.spec ?? {}
    const accountAccess = { ...spec.access?.accountAccess, customRoles }
    const changed = { ...spec, access: { ...spec.access, accountAccess } }
    const resourceVersion = present?.resourceVersion ?? ''
    const update = { serviceAccountId, spec: changed, resourceVersion }
    await done(cloud, 'UpdateServiceAccount', cloud.updateServiceAccount(update))
    return (await read())?.spec?.access
  }
  await setRoles([roleId, second.roleId])
  expect(await setRoles([second.roleId])).toMatchObject({
    accountAccess: { customRoles: [second.roleId] },
    customRolesDeprecated: [second.roleId],
  })
  await refused(make(), refusal.exists)
  const scoped = {
    name: 'scoped with a role',
    namespaceScopedAccess: { namespace: namespace.id, access: { permission: Permission.PERMISSION_READ } },
    access: held.access,
  }
  await refused(cloud.createServiceAccount({ spec: scoped }), refusal.invalid)
})
