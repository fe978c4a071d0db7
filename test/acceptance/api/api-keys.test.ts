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
import { readJwt } from '../jwt.ts'
import { createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const { identity, resource } = temporal.api.cloud
const { OWNER_TYPE_SERVICE_ACCOUNT, OWNER_TYPE_USER } = identity.v1.OwnerType
const { RESOURCE_STATE_ACTIVE } = resource.v1.ResourceState
const inAnHour = Math.floor(Date.now() / 1000) + 3_600
const yearMs = 365 * 24 * 3_600_000

let tenant: Tenant
let serviceAccountId: string
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Keys')
  serviceAccountId = (await createServiceAccount(tenant, 'holder')).serviceAccountId
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

/** @param expiresAt seconds since 1970. */
function keySpec(more: object = {}, expiresAt = inAnHour) {
  return temporal.api.cloud.identity.v1.ApiKeySpec.fromObject({
    ownerId: serviceAccountId,
    ownerType: OWNER_TYPE_SERVICE_ACCOUNT,
    displayName: 'a key',
    expiryTime: { seconds: expiresAt },
    ...more,
  })
}

test('a key, from nothing to nothing: its token is shown once, disabled it stays ACTIVE', async () => {
  const created = await cloud.createApiKey({ spec: keySpec({ description: 'for tests' }) })
  const { keyId, token } = created
  await done(cloud, 'CreateApiKey', created)
  const { apiKey } = await cloud.getApiKey({ keyId })
  expect(apiKey).toMatchObject({
    id: keyId,
    state: RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    spec: {
      ownerId: serviceAccountId,
      ownerType: OWNER_TYPE_SERVICE_ACCOUNT,
      ownerTypeDeprecated: 'service-account',
      displayName: 'a key',
      description: 'for tests',
      disabled: false,
    },
  })
  expect(Number(apiKey?.spec?.expiryTime?.seconds), 'to the second').toBe(inAnHour)
  expect(readJwt(token).payload.exp).toBe(inAnHour)
  expect(
    JSON.stringify([apiKey, await cloud.getAsyncOperation({ asyncOperationId: created.asyncOperation?.id ?? '' })]),
  ).not.toContain(token)

  const theirs = await cloudOf(token)
  expect(await theirs.getCurrentIdentity({})).toMatchObject({
    serviceAccount: { id: serviceAccountId },
    principalApiKey: { id: keyId },
  })
  const resourceVersion = apiKey?.resourceVersion ?? ''
  await nothingToChange(cloud.updateApiKey({ keyId, spec: apiKey?.spec ?? {}, resourceVersion }))
  const off = keySpec({ description: 'for tests', disabled: true })
  await done(cloud, 'UpdateApiKey', cloud.updateApiKey({ keyId, spec: off, resourceVersion }))
  await refused(cloud.updateApiKey({ keyId, spec: keySpec(), resourceVersion }), refusal.precondition)
  await refused(theirs.getCurrentIdentity({}), refusal.unauthenticated)
  const { apiKey: disabled } = await cloud.getApiKey({ keyId })
  expect(disabled).toMatchObject({ state: RESOURCE_STATE_ACTIVE, spec: { disabled: true } })
  const version = disabled?.resourceVersion ?? ''
  await done(cloud, 'DeleteApiKey', cloud.deleteApiKey({ keyId, resourceVersion: version }))
  await refused(cloud.getApiKey({ keyId }), refusal.notFound)
  await refused(cloud.deleteApiKey({ keyId, resourceVersion: version }), refusal.notFound)
})

test('cloud-cli: a key for oneself, under one operation id however often it is asked for', async () => {
  const go = new GoClient(tenant.api.token, goClients.cli)
  const { user } = await go.call('GetCurrentIdentity')
  const asyncOperationId = randomUUID()
  const spec = {
    ownerId: user.id,
    // The spelling of old clients, which is taken, too.
    ownerTypeDeprecated: 'user',
    displayName: 'mine',
    expiryTime: { seconds: inAnHour },
  }
  const { keyId } = await go.done('CreateApiKey', { spec, asyncOperationId })
  expect((await go.call('CreateApiKey', { spec, asyncOperationId })).keyId).toBe(keyId)
  const mine = await go.call('GetApiKeys', { ownerId: user.id, ownerType: 'OWNER_TYPE_USER' })
  expect(mine.apiKeys.map(({ id }: { id: string }) => id).toSorted()).toEqual([keyId, tenant.keyId].toSorted())
  await go.close()
})

test('lists: all, by owner, by kind of owner in both spellings, page by page', async () => {
  const own = await cloud.createApiKey({ spec: keySpec({ displayName: 'listed' }) })
  const ids = async (filter: object) => (await cloud.getApiKeys(filter)).apiKeys.map(({ id }) => id)
  expect(await ids({ ownerId: serviceAccountId })).toEqual([own.keyId])
  expect(await ids({ ownerType: OWNER_TYPE_SERVICE_ACCOUNT })).toEqual([own.keyId])
  expect(await ids({ ownerTypeDeprecated: 'service-account' })).toEqual([own.keyId])
  const ofUsers = await ids({ ownerType: OWNER_TYPE_USER })
  expect(ofUsers).not.toContain(own.keyId)
  const all = await everyPage(
    (page) => cloud.getApiKeys(page),
    ({ apiKeys }) => apiKeys.map(({ id }) => id),
  )
  expect(all).toEqual([...ofUsers, own.keyId].toSorted())
})

test('a key ends within two years, belongs to somebody, and an account has so many', async () => {
  const late = Math.floor((Date.now() + 2.1 * yearMs) / 1000)
  await refused(cloud.createApiKey({ spec: keySpec({}, late) }), refusal.invalid, 'spec.expiry_time')
  await refused(cloud.createApiKey({ spec: keySpec({}, 1) }), refusal.invalid, 'spec.expiry_time')
  await refused(cloud.createApiKey({ spec: keySpec({ ownerId: 'sa-nobody' }) }), refusal.notFound)
  const { serviceAccountId: ownerId } = await createServiceAccount(tenant, 'greedy')
  const more = () => cloud.createApiKey({ spec: keySpec({ ownerId }) })
  for (let index = 0; index < 20; index += 1) await more()
  await refused(more(), refusal.precondition)
})
