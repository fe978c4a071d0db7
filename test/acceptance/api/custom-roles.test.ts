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
import { createKey, createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const { RESOURCE_STATE_ACTIVE } = temporal.api.cloud.resource.v1.ResourceState

let tenant: Tenant
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Roles')
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const onAll = (resourceType: string, ...actions: string[]) => ({
  resources: { resourceType, resourceIds: [], allowAll: true },
  actions,
})

test('a role, from nothing to nothing', async () => {
  const permissions = [onAll('accounts', 'cloud.account.get'), onAll('namespaces', 'cloud.namespace.get')]
  const spec = { name: 'auditor', description: 'looks', permissions }
  const created = await cloud.createCustomRole({ spec })
  await done(cloud, 'CreateCustomRole', created)
  const { roleId } = created
  await refused(cloud.createCustomRole({ spec }), refusal.exists)
  const { customRole } = await cloud.getCustomRole({ roleId })
  expect(customRole).toMatchObject({ id: roleId, state: RESOURCE_STATE_ACTIVE, spec })
  const { roleId: second } = await cloud.createCustomRole({ spec: { ...spec, name: 'second' } })
  const listed = await everyPage(
    (page) => cloud.getCustomRoles(page),
    ({ customRoles }) => customRoles.map(({ id }) => id),
  )
  expect(listed, 'by id').toEqual([roleId, second].toSorted())

  const resourceVersion = customRole?.resourceVersion ?? ''
  await nothingToChange(cloud.updateCustomRole({ roleId, spec: customRole?.spec ?? {}, resourceVersion }))
  const update = { roleId, spec: { ...spec, description: 'looks closer' }, resourceVersion }
  await done(cloud, 'UpdateCustomRole', cloud.updateCustomRole(update))
  await refused(cloud.updateCustomRole({ ...update, spec }), refusal.precondition)
  const version = (await cloud.getCustomRole({ roleId })).customRole?.resourceVersion ?? ''
  await done(cloud, 'DeleteCustomRole', cloud.deleteCustomRole({ roleId, resourceVersion: version }))
  await refused(cloud.getCustomRole({ roleId }), refusal.notFound)
  await refused(cloud.deleteCustomRole({ roleId, resourceVersion: version }), refusal.notFound)
})

test('what is none is named', async () => {
  const wrong = [onAll('moons', 'cloud.namespace.get'), onAll('namespaces', 'cloud.namespace.fly'), onAll('namespaces')]
  for (const permission of wrong) {
    const call = cloud.createCustomRole({ spec: { name: 'wrong', permissions: [permission] } })
    await refused(call, refusal.invalid, 'spec.permissions')
  }
})

test('cloud-cli: apply writes the whole spec, and the role acts at the next call, and no more when it is gone', async () => {
  const go = new GoClient(tenant.api.token, goClients.cli)
  const robot = await createServiceAccount(tenant, 'robot')
  const { token } = await createKey(tenant, robot)
  const theirs = new GoClient(token, goClients.cli)
  const group = { spec: { displayName: 'made-by-robot', cloudGroup: {} } }
  expect((await theirs.refusal('CreateUserGroup', group)).code).toBe(refusal.denied)
  const { roleId } = await go.done('CreateCustomRole', {
    spec: { name: 'groups', permissions: [onAll('accounts', 'cloud.account.get')] },
  })
  const { serviceAccount } = await go.call('GetServiceAccount', { serviceAccountId: robot.serviceAccountId })
  const held = { ...serviceAccount.spec.access, accountAccess: { role: 'ROLE_READ', customRoles: [roleId] } }
  await go.done('UpdateServiceAccount', {
    serviceAccountId: robot.serviceAccountId,
    spec: { name: 'robot', access: held },
    resourceVersion: serviceAccount.resourceVersion,
  })
  expect((await theirs.refusal('CreateUserGroup', group)).code).toBe(refusal.denied)
  const { customRole } = await go.call('GetCustomRole', { roleId })
  const wider = { ...customRole.spec, permissions: [onAll('accounts', 'cloud.usergroup.create')] }
  await go.done('UpdateCustomRole', { roleId, spec: wider, resourceVersion: customRole.resourceVersion })
  const { groupId } = await theirs.done('CreateUserGroup', group)
  expect((await theirs.refusal('DeleteUserGroup', { groupId, resourceVersion: '1' })).code).toBe(refusal.denied)
  const { resourceVersion } = (await go.call('GetCustomRole', { roleId })).customRole
  await go.done('DeleteCustomRole', { roleId, resourceVersion })
  const another = { spec: { displayName: 'another', cloudGroup: {} } }
  expect((await theirs.refusal('CreateUserGroup', another)).code).toBe(refusal.denied)
  for (const client of [go, theirs]) await client.close()
})
