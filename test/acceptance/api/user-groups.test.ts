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
import { createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const { identity, resource } = temporal.api.cloud
const { Role } = identity.v1.AccountAccess
const { RESOURCE_STATE_ACTIVE } = resource.v1.ResourceState

let tenant: Tenant
let namespace: Namespace
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Groups')
  namespace = await createNamespace(tenant)
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

async function newUser(email: string): Promise<string> {
  const spec = { email, access: { accountAccess: { role: Role.ROLE_READ } } }
  return (await cloud.createUser({ spec })).userId
}

test('a cloud group, from nothing to nothing', async () => {
  const spec = { displayName: 'builders', cloudGroup: {}, access: { accountAccess: { role: Role.ROLE_READ } } }
  const asyncOperationId = randomUUID()
  const created = await cloud.createUserGroup({ spec, asyncOperationId })
  const { groupId } = created
  await done(cloud, 'CreateUserGroup', created)
  expect((await cloud.createUserGroup({ spec, asyncOperationId })).groupId, 'the same request again').toBe(groupId)
  await refused(cloud.createUserGroup({ spec }), refusal.exists)
  const { group } = await cloud.getUserGroup({ groupId })
  expect(group).toMatchObject({
    id: groupId,
    state: RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    spec: { displayName: 'builders', cloudGroup: {}, googleGroup: null, scimGroup: null },
  })

  await cloud.createUserGroup({ spec: { ...spec, displayName: 'artisans' } })
  expect((await cloud.getUserGroups({ displayName: 'builders' })).groups.map(({ id }) => id)).toEqual([groupId])
  expect((await cloud.getUserGroups({ displayName: 'build' })).groups, 'the filter is exact').toEqual([])
  const names = await everyPage(
    (page) => cloud.getUserGroups(page),
    ({ groups }) => groups.map((each) => each.spec?.displayName),
  )
  expect(names, 'by name').toEqual(['artisans', 'builders'])

  const resourceVersion = group?.resourceVersion ?? ''
  await nothingToChange(cloud.updateUserGroup({ groupId, spec: group?.spec ?? {}, resourceVersion }))
  const renamed = { ...spec, displayName: 'masons' }
  await done(cloud, 'UpdateUserGroup', cloud.updateUserGroup({ groupId, spec: renamed, resourceVersion }))
  await refused(cloud.updateUserGroup({ groupId, spec, resourceVersion }), refusal.precondition)
  const { group: changed } = await cloud.getUserGroup({ groupId })
  expect(changed?.spec?.displayName).toBe('masons')
  const version = changed?.resourceVersion ?? ''
  await done(cloud, 'DeleteUserGroup', cloud.deleteUserGroup({ groupId, resourceVersion: version }))
  await refused(cloud.getUserGroup({ groupId }), refusal.notFound)
  await refused(cloud.deleteUserGroup({ groupId, resourceVersion: version }), refusal.notFound)
})

test('members come and go, and are users', async () => {
  const { groupId } = await cloud.createUserGroup({ spec: { displayName: 'members', cloudGroup: {} } })
  const [one, two] = [await newUser('one@example.com'), await newUser('two@example.com')]
  for (const userId of [one, two]) {
    await done(cloud, 'AddUserGroupMember', cloud.addUserGroupMember({ groupId, memberId: { userId } }))
  }
  const members = () =>
    everyPage(
      (page) => cloud.getUserGroupMembers({ groupId, ...page }),
      (page) => page.members.map(({ memberId }) => memberId?.userId),
    )
  expect(await members()).toEqual([one, two].toSorted())
  await refused(cloud.addUserGroupMember({ groupId, memberId: { userId: one } }), refusal.exists)
  const gone = { groupId, memberId: { userId: one } }
  await done(cloud, 'RemoveUserGroupMember', cloud.removeUserGroupMember(gone))
  await refused(cloud.removeUserGroupMember(gone), refusal.notFound)
  expect(await members()).toEqual([two])
  const { serviceAccountId } = await createServiceAccount(tenant, 'no member')
  await refused(cloud.addUserGroupMember({ groupId, memberId: { userId: serviceAccountId } }), refusal.notFound)
})

test('groups of Google are made here and filled there; those of SCIM are made there', async () => {
  const google = { displayName: 'from-google', googleGroup: { emailAddress: 'all@example.com' } }
  const { groupId } = await cloud.createUserGroup({ spec: google })
  const { groups } = await cloud.getUserGroups({ googleGroup: { emailAddress: 'all@example.com' } })
  expect(groups.map(({ id }) => id)).toEqual([groupId])
  const memberId = { userId: tenant.userId }
  await refused(cloud.addUserGroupMember({ groupId, memberId }), refusal.invalid)
  const scim = { displayName: 'from-scim', scimGroup: { idpId: 'idp-1' } }
  await refused(cloud.createUserGroup({ spec: scim }), refusal.invalid, 'spec.scim_group')
})

test('tcld: a group’s access is never nil; Terraform: namespace access is set, kept, and reset by sending none', async () => {
  const tcld = new GoClient(tenant.api.token, goClients.tcld)
  const { groupId } = await tcld.done('CreateUserGroup', { spec: { displayName: 'plain', cloudGroup: {} } })
  const read = async () => (await tcld.call('GetUserGroup', { groupId })).group
  expect((await read()).spec.access, 'nil makes tcld panic').toBeDefined()
  const listed = await tcld.call('GetUserGroups', { displayName: 'plain' })
  expect(listed.groups[0].spec.access).toBeDefined()

  // `set-access`: what was read, with another access, written back.
  const { spec, resourceVersion } = await read()
  const wanted = { accountAccess: { role: 'ROLE_DEVELOPER' } }
  await tcld.done('UpdateUserGroup', { groupId, spec: { ...spec, access: wanted }, resourceVersion })
  expect((await read()).spec).toMatchObject({ displayName: 'plain', cloudGroup: {}, access: wanted })

  const terraform = new GoClient(tenant.api.token)
  const set = async (permission?: string) => ({
    namespace: namespace.id,
    groupId,
    resourceVersion: (await read()).resourceVersion,
    ...(permission === undefined ? {} : { access: { permission } }),
  })
  await terraform.done('SetUserGroupNamespaceAccess', await set('PERMISSION_WRITE'))
  const again = await terraform.refusal('SetUserGroupNamespaceAccess', await set('PERMISSION_WRITE'))
  expect(again).toMatchObject({ code: refusal.invalid, text: expect.stringContaining('nothing to change') })
  expect((await read()).spec.access.namespaceAccesses).toMatchObject({
    [namespace.id]: { permission: 'PERMISSION_WRITE' },
  })
  const inNamespace = await terraform.call('GetUserGroups', { namespace: namespace.id })
  expect(inNamespace.groups.map(({ id }: { id: string }) => id)).toEqual([groupId])
  await terraform.done('SetUserGroupNamespaceAccess', await set())
  expect((await read()).spec.access.namespaceAccesses ?? {}).toEqual({})

  // `group_access`: the spec as it was read, with another access; and, when it is destroyed, with an empty one.
  const accessOf = async (access: object) => {
    const group = await read()
    await terraform.done('UpdateUserGroup', {
      groupId,
      spec: { ...group.spec, access },
      resourceVersion: group.resourceVersion,
    })
    return (await read()).spec.access
  }
  const namespaceAccesses = { [namespace.id]: { permission: 'PERMISSION_READ' } }
  const none = { accountAccess: { role: 'ROLE_UNSPECIFIED' }, namespaceAccesses }
  expect(await accessOf(none), 'the role none').toMatchObject({ namespaceAccesses })
  const empty = await accessOf({ namespaceAccesses: {} })
  expect([empty.accountAccess?.role ?? 'ROLE_UNSPECIFIED', empty.namespaceAccesses ?? {}]).toEqual([
    'ROLE_UNSPECIFIED',
    {},
  ])
  for (const client of [tcld, terraform]) await client.close()
})
