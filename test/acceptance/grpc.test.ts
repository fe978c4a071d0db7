import { randomUUID } from 'node:crypto'
import type { CloudOperationsClient } from '@temporalio/cloud'
import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { type ProductUnderTest, productUnderTest } from './product-under-test.ts'
import { signUp, type Tenant } from './tenant.ts'

const { operation, resource, identity } = temporal.api.cloud
const { State } = operation.v1.AsyncOperation
const { ResourceState } = resource.v1
const { Permission } = identity.v1.NamespaceAccess
const { Role } = identity.v1.AccountAccess
const { OwnerType } = identity.v1
const { SearchAttributeType } = temporal.api.cloud.namespace.v1.NamespaceSpec
type Operation = temporal.api.cloud.operation.v1.IAsyncOperation | null | undefined

/** The codes of gRPC. */
const code = { invalid: 3, notFound: 5, exists: 6, precondition: 9, unimplemented: 12, unauthenticated: 16 } as const

/** The control plane through npm @temporalio/cloud, over TLS. */
let product: ProductUnderTest
let tenant: Tenant
const clients: CloudOperationsClient[] = []
let cloud: CloudOperationsClient['cloudService']

beforeAll(async () => {
  product = await productUnderTest()
  tenant = await signUp('Cloudy')
  // The package takes no CA: this, or NODE_EXTRA_CA_CERTS, is read as soon as gRPC is loaded; hence the late imports.
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = product.addresses.caFile
  cloud = (await connect(tenant.api.token)).cloudService
})

afterAll(async () => {
  for (const client of clients) await client.connection.close()
})

async function connect(apiKey: string): Promise<CloudOperationsClient> {
  const { CloudOperationsClient, CloudOperationsConnection } = await import('@temporalio/cloud')
  const address = product.addresses.grpcTls.replace('127.0.0.1', 'localhost')
  const connection = await CloudOperationsConnection.connect({ address, apiKey })
  const client = new CloudOperationsClient({ connection })
  clients.push(client)
  return client
}

async function fulfilled(asyncOperation: Operation): Promise<void> {
  const asyncOperationId = asyncOperation?.id ?? ''
  const ended = await until(
    `operation ${asyncOperationId} ends`,
    async () => {
      const { asyncOperation: now } = await cloud.getAsyncOperation({ asyncOperationId })
      return now?.state === State.STATE_PENDING || now?.state === State.STATE_IN_PROGRESS ? undefined : now
    },
    60_000,
  )
  expect(ended).toMatchObject({ state: State.STATE_FULFILLED, failureReason: '' })
}

async function refused(call: Promise<unknown>, expected: { code: number; details?: unknown }): Promise<void> {
  await expect(call).rejects.toMatchObject(expected)
}

test('health, over TLS and without it', async () => {
  const [client] = clients
  expect(await client?.connection.healthService.check({})).toMatchObject({ status: 1 })
  const { Client, credentials, makeGenericClientConstructor } = await import('@grpc/grpc-js')
  expect(makeGenericClientConstructor).toBeTypeOf('function')
  const plain = new Client(product.addresses.grpc, credentials.createInsecure())
  const check = (service: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = Buffer.from([0x0a, service.length, ...Buffer.from(service)])
      plain.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        request,
        (error, answer) => (error === null ? resolve(answer?.at(1)) : reject(error)),
      )
    })
  expect(await check('')).toBe(1)
  expect(await check('temporal.api.cloud.cloudservice.v1.CloudService')).toBe(1)
  await refused(check('temporal.api.workflowservice.v1.WorkflowService'), { code: code.notFound })
  plain.close()
})

test('who calls, the account, the regions', async () => {
  expect(await cloud.getCurrentIdentity({})).toMatchObject({ user: { id: tenant.userId } })
  expect(await cloud.getAccount({})).toMatchObject({ account: { id: tenant.id } })
  const { regions } = await cloud.getRegions({})
  expect(regions.map(({ id }) => id)).toEqual(['aws-us-east-1', 'aws-eu-west-1'])
  expect(await cloud.getRegion({ region: 'aws-eu-west-1' })).toMatchObject({
    region: { cloudProviderRegion: 'eu-west-1' },
  })
  await refused(cloud.getRegion({ region: 'aws-moon-1' }), { code: code.notFound })
})

test('a namespace, from nothing to nothing', async () => {
  const spec = {
    name: 'over-grpc',
    replicas: [{ region: 'aws-us-east-1' }],
    retentionDays: 3,
    apiKeyAuth: { enabled: true },
  }
  const asyncOperationId = randomUUID()
  const created = await cloud.createNamespace({ spec, asyncOperationId, tags: { team: 'payments' } })
  expect(created).toMatchObject({
    namespace: `over-grpc.${tenant.id}`,
    asyncOperation: { id: asyncOperationId, operationType: 'CreateNamespace' },
  })
  const { namespace } = created
  const again = await cloud.createNamespace({ spec, asyncOperationId, tags: { team: 'payments' } })
  expect(again.asyncOperation?.id, 'the same request again').toBe(asyncOperationId)
  await fulfilled(created.asyncOperation)
  const { namespace: made } = await cloud.getNamespace({ namespace })
  expect(made).toMatchObject({
    namespace,
    state: ResourceState.RESOURCE_STATE_ACTIVE,
    activeRegion: 'aws-us-east-1',
    spec: { regions: ['aws-us-east-1'], replicas: [{ region: 'aws-us-east-1' }], retentionDays: 3 },
    endpoints: { grpcAddress: `${namespace}.aqueduct.localhost:7233`, mtlsGrpcAddress: '' },
    tags: { team: 'payments' },
  })
  expect(made?.spec?.capacitySpec).toBeNull()
  expect(await cloud.getNamespaces({ name: 'over-grpc' })).toMatchObject({ namespaces: [{ namespace }] })
  expect((await cloud.getNamespaces({ name: 'over' })).namespaces).toEqual([])

  const resourceVersion = made?.resourceVersion ?? ''
  const same = cloud.updateNamespace({ namespace, spec: made?.spec ?? {}, resourceVersion })
  await refused(same, { code: code.invalid, details: expect.stringContaining('nothing to change') })
  const longer = { ...made?.spec, retentionDays: 5 }
  const updated = await cloud.updateNamespace({ namespace, spec: longer, resourceVersion })
  await fulfilled(updated.asyncOperation)
  await refused(cloud.updateNamespace({ namespace, spec: { ...longer, retentionDays: 6 }, resourceVersion }), {
    code: code.precondition,
  })
  const { namespace: changed } = await cloud.getNamespace({ namespace })
  expect(changed?.spec?.retentionDays).toBe(5)

  const tagged = await cloud.updateNamespaceTags({ namespace, tagsToUpsert: { stage: 'test' }, tagsToRemove: ['team'] })
  expect(tagged.asyncOperation?.state).toBe(State.STATE_FULFILLED)
  expect((await cloud.getNamespace({ namespace })).namespace?.tags).toEqual({ stage: 'test' })
  expect(await cloud.getNamespaceCapacityInfo({ namespace })).toMatchObject({
    capacityInfo: { namespace, currentCapacity: { onDemand: {}, latestRequest: null }, stats: null },
  })

  const version = changed?.resourceVersion ?? ''
  const searchAttributes = { Customer: SearchAttributeType.SEARCH_ATTRIBUTE_TYPE_KEYWORD }
  const added = await cloud.updateNamespace({
    namespace,
    spec: { ...longer, searchAttributes },
    resourceVersion: version,
  })
  await fulfilled(added.asyncOperation)
  const rename = { existingCustomSearchAttributeName: 'Customer', newCustomSearchAttributeName: 'Buyer' }
  const resourceVersionNow = (await cloud.getNamespace({ namespace })).namespace?.resourceVersion ?? ''
  const renamed = await cloud.renameCustomSearchAttribute({ namespace, ...rename, resourceVersion: resourceVersionNow })
  await fulfilled(renamed.asyncOperation)
  const { namespace: last } = await cloud.getNamespace({ namespace })
  expect(last).toMatchObject({
    resourceVersion: resourceVersionNow,
    spec: {
      searchAttributes: { Buyer: SearchAttributeType.SEARCH_ATTRIBUTE_TYPE_KEYWORD },
      customSearchAttributes: { Buyer: 'keyword' },
    },
  })

  const deleted = await cloud.deleteNamespace({ namespace, resourceVersion: last?.resourceVersion ?? '' })
  await fulfilled(deleted.asyncOperation)
  await refused(cloud.getNamespace({ namespace }), { code: code.notFound })
  await refused(cloud.createNamespace({ spec }), { code: code.exists })
})

test('a service account and its key', async () => {
  const access = { accountAccess: { role: Role.ROLE_READ }, namespaceAccesses: {} }
  const created = await cloud.createServiceAccount({ spec: { name: 'deployer', access } })
  const { serviceAccountId } = created
  await fulfilled(created.asyncOperation)
  const { serviceAccount } = await cloud.getServiceAccount({ serviceAccountId })
  expect(serviceAccount).toMatchObject({
    spec: { name: 'deployer', access: { accountAccess: { role: Role.ROLE_READ } } },
  })
  expect((await cloud.getServiceAccounts({})).serviceAccount).toMatchObject([{ id: serviceAccountId }])
  const developer = { accountAccess: { role: Role.ROLE_DEVELOPER }, namespaceAccesses: {} }
  const updated = await cloud.updateServiceAccount({
    serviceAccountId,
    spec: { name: 'deployer', access: developer },
    resourceVersion: serviceAccount?.resourceVersion ?? '',
  })
  await fulfilled(updated.asyncOperation)

  const key = await cloud.createApiKey({
    spec: {
      ownerId: serviceAccountId,
      ownerType: OwnerType.OWNER_TYPE_SERVICE_ACCOUNT,
      displayName: 'of the deployer',
      expiryTime:
        temporal.api.cloud.identity.v1.ApiKeySpec.fromObject({
          expiryTime: { seconds: Math.floor(Date.now() / 1000) + 3600 },
        }).expiryTime ?? null,
    },
  })
  const { keyId } = key
  expect(key.token).toMatch(/^eyJ/)
  const { apiKey } = await cloud.getApiKey({ keyId })
  expect(apiKey).toMatchObject({ state: ResourceState.RESOURCE_STATE_ACTIVE, spec: { displayName: 'of the deployer' } })
  expect(JSON.stringify(apiKey)).not.toContain(key.token)
  const { apiKeys } = await cloud.getApiKeys({ ownerId: serviceAccountId })
  expect(apiKeys.map(({ id }) => id)).toEqual([keyId])

  const { cloudService: theirs } = await connect(key.token)
  const { serviceAccount: self, user } = await theirs.getCurrentIdentity({})
  expect({ id: self?.id, role: self?.spec?.access?.accountAccess?.role, user }).toEqual({
    id: serviceAccountId,
    role: Role.ROLE_DEVELOPER,
    user: null,
  })
  // A developer makes namespaces, and administers what they made; other principals stay out of their reach.
  const own = await theirs.createNamespace({
    spec: {
      name: 'of-the-deployer',
      regions: ['aws-us-east-1'],
      retentionDays: 1,
      apiKeyAuth: { enabled: true },
    },
  })
  await fulfilled(own.asyncOperation)
  const { serviceAccount: grown } = await cloud.getServiceAccount({ serviceAccountId })
  expect(grown?.spec?.access?.namespaceAccesses).toMatchObject({
    [own.namespace]: { permission: Permission.PERMISSION_ADMIN },
  })
  await refused(theirs.createServiceAccount({ spec: { name: 'another', access } }), { code: 7 })

  const disabled = await cloud.updateApiKey({
    keyId,
    spec: { ...apiKey?.spec, disabled: true },
    resourceVersion: apiKey?.resourceVersion ?? '',
  })
  await fulfilled(disabled.asyncOperation)
  await refused(theirs.getCurrentIdentity({}), { code: code.unauthenticated })
  const { apiKey: off } = await cloud.getApiKey({ keyId })
  expect(off).toMatchObject({ state: ResourceState.RESOURCE_STATE_ACTIVE, spec: { disabled: true } })
  await fulfilled((await cloud.deleteApiKey({ keyId, resourceVersion: off?.resourceVersion ?? '' })).asyncOperation)
  await refused(cloud.getApiKey({ keyId }), { code: code.notFound })
  const { resourceVersion } = grown ?? {}
  const gone = await cloud.deleteServiceAccount({ serviceAccountId, resourceVersion: resourceVersion ?? '' })
  await fulfilled(gone.asyncOperation)
  await refused(cloud.getServiceAccount({ serviceAccountId }), { code: code.notFound })
})

test('lists come in pages', async () => {
  const access = { accountAccess: { role: Role.ROLE_READ } }
  for (const name of ['one', 'two', 'three']) await cloud.createServiceAccount({ spec: { name, access } })
  const found: string[] = []
  let pageToken = ''
  let pages = 0
  do {
    const page = await cloud.getServiceAccounts({ pageSize: 2, pageToken })
    expect(page.serviceAccount.length).toBeLessThanOrEqual(2)
    found.push(...page.serviceAccount.map(({ spec }) => spec?.name ?? ''))
    pageToken = page.nextPageToken
    pages += 1
  } while (pageToken !== '')
  expect(found.toSorted()).toEqual(['one', 'three', 'two'])
  expect(pages).toBe(2)
})

describe('who is not let in', () => {
  test('without a key, and with one that is none', async () => {
    const { cloudService: nobody } = await connect('not.a.token')
    await refused(nobody.getCurrentIdentity({}), { code: code.unauthenticated })
  })

  test('a method that is not there yet', async () => {
    await refused(cloud.getUsage({}), { code: code.unimplemented })
  })

  test('a field that is wrong is named', async () => {
    const spec = { name: 'Capital', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
    await refused(cloud.createNamespace({ spec }), {
      code: code.invalid,
      details: expect.stringContaining('spec.name'),
    })
  })
})
