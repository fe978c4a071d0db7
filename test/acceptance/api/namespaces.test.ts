import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownCa } from '../certificates.ts'
import { type Cloud, closeClients, cloudOf, done, everyPage, refusal, refused } from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { signUp, type Tenant } from '../tenant.ts'

/** One namespace through the hands of every client, one after the other; making another one takes seconds. */
const region = 'aws-us-east-1'
let tenant: Tenant
let namespace: string
let cloud: Cloud
let terraform: GoClient
let cli: GoClient

beforeAll(async () => {
  tenant = await signUp('Spaces')
  cloud = await cloudOf(tenant.api.token)
  terraform = new GoClient(tenant.api.token)
  cli = new GoClient(tenant.api.token, goClients.cli)
})
afterAll(async () => {
  await closeClients()
  for (const client of [terraform, cli]) await client.close()
})

const read = async () => (await terraform.call('GetNamespace', { namespace })).namespace

/** The spec as it is, with `change`, under the version that it has. */
async function update(client: GoClient, change: object): Promise<void> {
  const { spec, resourceVersion } = await read()
  await client.done('UpdateNamespace', { namespace, spec: { ...spec, ...change }, resourceVersion })
}

test('Terraform: created with regions alone and an operation id, ACTIVE when that is FULFILLED', async () => {
  const ca = await ownCa('Spaces')
  const acceptedClientCa = Buffer.from(`\n${ca.pem}\n\n`)
  const certificateFilters = [{ commonName: 'b' }, { organization: 'a' }, { subjectAlternativeName: '*.c' }]
  const asyncOperationId = randomUUID()
  const created = await terraform.done('CreateNamespace', {
    asyncOperationId,
    spec: {
      name: 'one-for-all',
      regions: [region],
      retentionDays: 3,
      mtlsAuth: { enabled: true, acceptedClientCa, certificateFilters },
      apiKeyAuth: { enabled: true },
      codecServer: { endpoint: 'https://codec.example.com', passAccessToken: true },
      lifecycle: { enableDeleteProtection: true },
    },
  })
  namespace = created.namespace
  expect(created).toMatchObject({ namespace: `one-for-all.${tenant.id}`, asyncOperation: { id: asyncOperationId } })
  const made = await read()
  expect(made).toMatchObject({
    namespace,
    state: 'RESOURCE_STATE_ACTIVE',
    stateDeprecated: 'active',
    activeRegion: region,
    spec: {
      name: 'one-for-all',
      regions: [region],
      replicas: [{ region }],
      apiKeyAuth: { enabled: true },
      lifecycle: { enableDeleteProtection: true },
    },
    replicas: [{ isPrimary: true, region, state: 'REPLICA_STATE_ACTIVE' }],
    regionStatus: { [region]: { state: 'STATE_ACTIVE', stateDeprecated: 'active' } },
    limits: { actionsPerSecondLimit: 500 },
  })
  expect(acceptedClientCa.equals(made.spec.mtlsAuth.acceptedClientCa), 'the CA, byte for byte').toBe(true)
  expect(made.spec.mtlsAuth.certificateFilters).toMatchObject(certificateFilters)
  expect(made.endpoints.grpcAddress).toContain(namespace)
  expect(made.endpoints.mtlsGrpcAddress).toContain(namespace)
  for (const unset of ['capacitySpec', 'fairness', 'highAvailability']) expect(made.spec).not.toHaveProperty(unset)
  for (const unset of ['lastModifiedTime', 'capacity']) expect(made).not.toHaveProperty(unset)
  expect(made.createdTime).toBeDefined()
})

test('npm: read, listed by exact name and page by page', async () => {
  const { namespaces } = await cloud.getNamespaces({ name: 'one-for-all' })
  expect(namespaces.map((each) => each.namespace)).toEqual([namespace])
  for (const name of ['one-for', 'one-for-all-of-us', namespace]) {
    expect((await cloud.getNamespaces({ name })).namespaces, 'the filter is exact').toEqual([])
  }
  const listed = await everyPage(
    (page) => cloud.getNamespaces(page),
    (page) => page.namespaces.map((each) => each.namespace),
  )
  expect(listed).toEqual([namespace])
  await refused(
    cloud.createNamespace({
      spec: { name: 'one-for-all', regions: [region], retentionDays: 1, apiKeyAuth: { enabled: true } },
    }),
    refusal.exists,
  )
})

test('npm: a CA changed in what was read, with the deprecated one as it was', async () => {
  const next = Buffer.from((await ownCa('Next')).pem)
  const { namespace: present } = await cloud.getNamespace({ namespace })
  const { spec, resourceVersion } = present ?? {}
  const mtlsAuth = { ...spec?.mtlsAuth, acceptedClientCa: next }
  const changed = { namespace, spec: { ...spec, mtlsAuth }, resourceVersion: resourceVersion ?? '' }
  await done(cloud, 'UpdateNamespace', cloud.updateNamespace(changed))
  const { mtlsAuth: shown } = (await read()).spec
  expect(next.equals(shown.acceptedClientCa)).toBe(true)
  expect(shown.acceptedClientCaDeprecated).toBe(next.toString('base64'))
})

test('delete protection, a stale version, nothing to change', async () => {
  const { spec, resourceVersion } = await read()
  const protectedNow = await terraform.refusal('DeleteNamespace', { namespace, resourceVersion })
  expect(protectedNow.code).toBe(refusal.precondition)
  const same = await terraform.refusal('UpdateNamespace', { namespace, spec, resourceVersion })
  expect(same).toMatchObject({ code: refusal.invalid, text: expect.stringContaining('nothing to change') })
  const stale = { namespace, spec: { ...spec, retentionDays: 4 }, resourceVersion: '999' }
  expect((await terraform.refusal('UpdateNamespace', stale)).code).toBe(refusal.precondition)
})

test('cloud-cli: a whole spec without what is deprecated changes what it changes; presence is kept', async () => {
  const { spec, resourceVersion } = await read()
  const { regions: _regions, customSearchAttributes: _attributes, ...plain } = spec
  const { acceptedClientCaDeprecated: _ca, ...mtlsAuth } = plain.mtlsAuth
  const wanted = {
    ...plain,
    mtlsAuth,
    retentionDays: 5,
    fairness: { taskQueueFairnessEnabled: false },
    highAvailability: { disableManagedFailover: true },
  }
  await cli.done('UpdateNamespace', { namespace, spec: wanted, resourceVersion })
  const changed = await read()
  expect(changed.spec).toMatchObject({ retentionDays: 5, regions: [region], replicas: [{ region }] })
  expect(changed.spec.fairness, 'false is not the same as unset').toBeDefined()
  expect(changed.spec).not.toHaveProperty('capacitySpec')
  expect(changed.lastModifiedTime).toBeDefined()
  expect(changed.spec.mtlsAuth).toEqual(spec.mtlsAuth)
  // `apply` of what is there: found by its exact name, compared, and sent all the same.
  const again = await cli.refusal('UpdateNamespace', {
    namespace,
    spec: wanted,
    resourceVersion: changed.resourceVersion,
  })
  expect(again.text).toContain('nothing to change')
})

test('Terraform: nil turns off protection, codec server and certificates, and keeps replicas, fairness and high availability', async () => {
  const { spec, resourceVersion } = await read()
  const { name, regions, retentionDays, apiKeyAuth, searchAttributes } = spec
  await terraform.done('UpdateNamespace', {
    namespace,
    spec: { name, regions, retentionDays, apiKeyAuth, searchAttributes },
    resourceVersion,
  })
  const reset = await read()
  expect(reset.spec.lifecycle?.enableDeleteProtection ?? false).toBe(false)
  expect(reset.spec).not.toHaveProperty('codecServer')
  expect(reset.spec.mtlsAuth?.enabled ?? false).toBe(false)
  expect(reset.spec).toMatchObject({
    regions: [region],
    replicas: [{ region }],
    fairness: {},
    highAvailability: { disableManagedFailover: true },
  })
  expect(reset.spec.apiKeyAuth, 'never nil').toBeDefined()
  expect(reset.endpoints.mtlsGrpcAddress ?? '').toBe('')
  const none = { name, regions, retentionDays }
  const version = reset.resourceVersion
  const refusedWithout = await terraform.refusal('UpdateNamespace', { namespace, spec: none, resourceVersion: version })
  expect(refusedWithout.code, 'one kind of authentication there must be').toBe(refusal.invalid)
})

test('Terraform: a search attribute renamed, and its old name added under the version before', async () => {
  const keyword = 'SEARCH_ATTRIBUTE_TYPE_KEYWORD'
  await update(terraform, { searchAttributes: { Before: keyword } })
  const { spec, resourceVersion } = await read()
  expect(spec.customSearchAttributes).toEqual({ Before: 'keyword' })
  const rename = { existingCustomSearchAttributeName: 'Before', newCustomSearchAttributeName: 'After' }
  await terraform.done('RenameCustomSearchAttribute', { namespace, ...rename, resourceVersion })
  const both = { Before: keyword, After: keyword }
  // All else as it was read before, the deprecated names too.
  await terraform.done('UpdateNamespace', { namespace, spec: { ...spec, searchAttributes: both }, resourceVersion })
  const renamed = await read()
  expect(renamed.spec.searchAttributes).toEqual(both)
  const { customSearchAttributes: _, ...kept } = renamed.spec
  for (const searchAttributes of [{ After: keyword }, { ...both, After: 'SEARCH_ATTRIBUTE_TYPE_INT' }]) {
    const request = { namespace, spec: { ...kept, searchAttributes }, resourceVersion: renamed.resourceVersion }
    expect((await terraform.refusal('UpdateNamespace', request)).code).toBe(refusal.invalid)
  }
})

test('tags: set and taken away at once, whatever the version', async () => {
  await done(
    cloud,
    'UpdateNamespaceTags',
    cloud.updateNamespaceTags({ namespace, tagsToUpsert: { team: 'a', stage: 'b' } }),
  )
  const change = { namespace, tagsToUpsert: { team: 'c' }, tagsToRemove: ['stage', 'never-there'] }
  await done(cloud, 'UpdateNamespaceTags', cloud.updateNamespaceTags(change))
  expect((await cloud.getNamespace({ namespace })).namespace?.tags).toEqual({ team: 'c' })
  await refused(cloud.updateNamespaceTags({ namespace }), refusal.invalid)
  await refused(cloud.updateNamespaceTags({ namespace, tagsToUpsert: { Team: 'a' } }), refusal.invalid)
})

test('tcld and Terraform: capacity is bought in units, and says how that went', async () => {
  const tcld = new GoClient(tenant.api.token, goClients.tcld)
  const info = async () => (await tcld.call('GetNamespaceCapacityInfo', { namespace })).capacityInfo
  expect(await info()).toMatchObject({
    namespace,
    currentCapacity: { onDemand: {} },
    modeOptions: { provisioned: { validTruValues: [2, 3, 4, 6, 8, 10, 12] }, onDemand: { apsLimit: 500 } },
  })
  await update(terraform, { capacitySpec: { provisioned: { value: 2 } } })
  expect((await info()).currentCapacity).toMatchObject({
    provisioned: { currentValue: 2 },
    latestRequest: { state: 'STATE_CAPACITY_REQUEST_COMPLETED', spec: { provisioned: { value: 2 } } },
  })
  expect(await read()).toMatchObject({
    limits: { actionsPerSecondLimit: 1_000 },
    spec: { capacitySpec: { provisioned: { value: 2 } } },
    capacity: { provisioned: { currentValue: 2 } },
  })
  // Left out, it stays.
  await update(terraform, { capacitySpec: undefined, retentionDays: 6 })
  const { spec, resourceVersion } = await read()
  expect(spec).toMatchObject({ retentionDays: 6, capacitySpec: { provisioned: { value: 2 } } })
  const odd = { namespace, spec: { ...spec, capacitySpec: { provisioned: { value: 5 } } }, resourceVersion }
  expect((await terraform.refusal('UpdateNamespace', odd)).code).toBe(refusal.invalid)
  await tcld.close()
})

test('npm: deleted, and gone when the operation is FULFILLED', async () => {
  const { namespace: last } = await cloud.getNamespace({ namespace })
  const gone = cloud.deleteNamespace({ namespace, resourceVersion: last?.resourceVersion ?? '' })
  await done(cloud, 'DeleteNamespace', gone)
  await refused(cloud.getNamespace({ namespace }), refusal.notFound)
  await refused(cloud.deleteNamespace({ namespace, resourceVersion: '1' }), refusal.notFound)
  expect((await cloud.getNamespaces({})).namespaces).toEqual([])
})
