import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { CloudApi } from './cloud-api.ts'
import { type Cloud, closeClients, cloudOf, done } from './cloud-client.ts'
import { code, describeThrough, outcome, signalThrough } from './edge.ts'
import { http, type Json } from './http.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'
import { createKey, createServiceAccount, invitationToken, signUp, type Tenant } from './tenant.ts'
import { measurements, withinPromise } from './within.ts'

/** How people come into an account and leave it: by the Cloud Ops API, and by an identity provider over SCIM. */
let tenant: Tenant
let namespace: Namespace
let cloud: Cloud
/** Imported late: npm `@temporalio/cloud` has to find the CA before anything else loads gRPC. */
let sdk: typeof import('./sdk.ts')

beforeAll(async () => {
  tenant = await signUp('People')
  namespace = await createNamespace(tenant)
  cloud = await cloudOf(tenant.api.token)
  sdk = await import('./sdk.ts')
  await sdk.workflowBundle()
})

afterAll(async () => {
  await closeClients()
  console.log(measurements())
})

/** An address that no other file's person has: mails of all tenants lie in one outbox. */
const addressOf = (name: string) => `${name}-${tenant.id}@example.com`

/** What an invited person does: opens the page that the mail links to, and accepts there. @returns the first key */
async function accept(email: string): Promise<string> {
  const token = await until(`the mail to ${email} is out`, () => invitationToken(email).catch(() => undefined))
  const { addresses, ca } = await productUnderTest()
  const page = await http(`${addresses.https}/invitations`, { ca })
  expect(page).toMatchObject({ status: 200, headers: { 'content-type': expect.stringContaining('text/html') } })
  const body = { token }
  const accepted = await http(`${addresses.https}/v1/invitations/accept`, { method: 'POST', body, ca })
  expect(accepted).toMatchObject({ status: 200, json: { tenant: { id: tenant.id }, user: { email } } })
  const { apiKey } = accepted.json as unknown as { readonly apiKey: { readonly token: string } }
  return apiKey.token
}

const mayRead = (token: string) => () => outcome(describeThrough(namespace, { token }))
/** NOT_FOUND for who may write: the workflow is not there. */
const mayWrite = (token: string) => () => outcome(signalThrough(namespace, { token }))

test('invited, in a group that may write, a workflow with the own key, and refused when out of the group', async () => {
  const email = addressOf('ada')
  const { userId } = await cloud.createUser({ spec: { email, access: { accountAccess: { role: 5 } } } })
  const token = await accept(email)
  expect(await new CloudApi(token).get('/cloud/current-identity')).toMatchObject({
    user: { id: userId, spec: { email } },
  })
  expect(await mayRead(token)(), 'a reader of the account alone').toBe(code.denied)

  const access = { namespaceAccesses: { [namespace.id]: { permission: 2 } } }
  const created = await cloud.createUserGroup({ spec: { displayName: 'writers', cloudGroup: {}, access } })
  await done(cloud, 'CreateUserGroup', created)
  const { groupId } = created
  const join = () => cloud.addUserGroupMember({ groupId, memberId: { userId } })
  await withinPromise('a member joins', { change: join, ask: mayWrite(token), from: code.denied, to: code.notFound })
  expect(await sdk.runGreeting(namespace, { token }, 'Ada')).toBe('Hello, Ada!')

  const leave = () => cloud.removeUserGroupMember({ groupId, memberId: { userId } })
  await withinPromise('a member leaves', { change: leave, ask: mayWrite(token), from: code.notFound, to: code.denied })
  expect(await mayRead(token)()).toBe(code.denied)
  await expect(sdk.runGreeting(namespace, { token }, 'Ada')).rejects.toThrow()
  expect((await new CloudApi(token).answer('GET', '/cloud/current-identity')).status, 'still a user').toBe(200)
})

describe('SCIM', () => {
  const schemas = 'urn:ietf:params:scim'
  let provider: string

  beforeAll(async () => {
    const made = await tenant.api.post<{ readonly serviceAccountId: string }>('/cloud/service-accounts', {
      spec: { name: 'identity provider', access: { accountAccess: { role: 'ROLE_ADMIN' } } },
    })
    provider = (await createKey(tenant, made)).token
  })

  async function scim(method: string, path: string, body?: object, token = provider) {
    const { addresses, ca } = await productUnderTest()
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' }
    return http(`${addresses.https}/scim/v2${path}`, { method, headers, ca, ...(body === undefined ? {} : { body }) })
  }

  async function made(path: string, body: object): Promise<string> {
    const { status, text, json } = await scim('POST', path, body)
    expect(status, text).toBe(201)
    return String(json.id)
  }

  const setActive = (id: string, active: boolean) => () =>
    scim('PATCH', `/Users/${id}`, {
      schemas: [`${schemas}:api:messages:2.0:PatchOp`],
      Operations: [{ op: 'replace', path: 'active', value: active }],
    })

  test('a user and a group are provisioned, work, are locked out by being deactivated, and let in again', async () => {
    const userName = addressOf('grace')
    const userId = await made('/Users', {
      schemas: [`${schemas}:schemas:core:2.0:User`],
      userName,
      externalId: 'g-1',
      active: true,
    })
    const found = await scim('GET', `/Users?filter=${encodeURIComponent(`userName eq "${userName}"`)}`)
    expect(found.json).toMatchObject({ totalResults: 1, Resources: [{ id: userId, userName, active: true }] })
    const token = await accept(userName)
    expect((await cloud.getUser({ userId })).user).toMatchObject({ id: userId, spec: { email: userName } })

    const groupId = await made('/Groups', {
      schemas: [`${schemas}:schemas:core:2.0:Group`],
      displayName: 'Platform Engineers',
      externalId: 'idp-7',
      members: [{ value: userId }],
    })
    const { groups } = await cloud.getUserGroups({ scimGroup: { idpId: 'idp-7' } })
    expect(groups).toMatchObject([
      { id: groupId, spec: { displayName: 'Platform Engineers', scimGroup: { idpId: 'idp-7' } } },
    ])
    const { members } = await cloud.getUserGroupMembers({ groupId })
    expect(members.map(({ memberId }) => memberId?.userId)).toEqual([userId])
    const resourceVersion = groups[0]?.resourceVersion ?? ''
    const grant = { namespace: namespace.id, groupId, access: { permission: 2 }, resourceVersion }
    const change = () => cloud.setUserGroupNamespaceAccess(grant)
    await withinPromise('a SCIM group may write', {
      change,
      ask: mayWrite(token),
      from: code.denied,
      to: code.notFound,
    })
    expect(await sdk.runGreeting(namespace, { token }, 'Grace')).toBe('Hello, Grace!')

    const off = { change: setActive(userId, false), ask: async () => (await mayWrite(token)()) === code.notFound }
    await withinPromise('a user is deactivated', { ...off, from: true, to: false })
    expect((await new CloudApi(token).answer('GET', '/cloud/current-identity')).status).toBe(401)
    const on = { change: setActive(userId, true), ask: off.ask, from: false, to: true }
    await withinPromise('a user is active again', on)

    const out = () =>
      scim('PATCH', `/Groups/${groupId}`, {
        schemas: [`${schemas}:api:messages:2.0:PatchOp`],
        Operations: [{ op: 'remove', path: `members[value eq "${userId}"]` }],
      })
    await withinPromise('a member leaves over SCIM', {
      change: out,
      ask: mayWrite(token),
      from: code.notFound,
      to: code.denied,
    })
    expect((await scim('DELETE', `/Groups/${groupId}`)).status).toBe(204)
    expect((await scim('DELETE', `/Users/${userId}`)).status).toBe(204)
    expect((await scim('GET', `/Users/${userId}`)).status).toBe(404)
    expect((await cloud.getUsers({ email: userName })).users).toEqual([])
  })

  test('is for admins of the account, and for theirs alone', async () => {
    const reader = await createKey(tenant, await createServiceAccount(tenant, 'reader'))
    expect((await scim('GET', '/Users', undefined, reader.token)).status).toBe(403)
    expect((await scim('GET', '/Users', undefined, 'garbage')).status).toBe(401)
    const stranger = await signUp('Strangers')
    const theirs = await scim('GET', `/Users/${tenant.userId}`, undefined, stranger.api.token)
    expect(theirs.status).toBe(404)
    const listed = (await scim('GET', '/Users', undefined, stranger.api.token)).json as Json & { Resources: Json[] }
    expect(listed.Resources.map(({ id }) => id)).toEqual([stranger.userId])
  })
})
