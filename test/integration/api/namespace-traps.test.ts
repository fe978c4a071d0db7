import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

/** What public clients rely on without saying so: one test for each such fact about namespaces. */

let api: ApiUnderTest
let owner: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
})
afterAll(() => api.close())

function spec(name: string, more: object = {}) {
  return { name, regions: ['aws-us-east-1'], retentionDays: 7, apiKeyAuth: { enabled: true }, ...more }
}

/** What the provisioner does, once the change acts. */
async function settle(id: string): Promise<void> {
  await api.admin.query("update namespaces set state = 'active' where id = $1", [id])
  await api.admin.query("update operations set state = 'fulfilled' where resource_id = $1", [id])
}

const read = async (id: string) => (await api.rest(owner.token, 'GET', `/cloud/namespaces/${id}`)).body.namespace
const overGrpc = async (id: string) => (await api.grpc(owner.token, 'GetNamespace', { namespace: id })).namespace
const update = (id: string, spec: object, resourceVersion: string) =>
  api.rest(owner.token, 'POST', `/cloud/namespaces/${id}`, { spec, resourceVersion })
const rename = (id: string, from: string, to: string, resourceVersion: string) =>
  api.rest(owner.token, 'POST', `/cloud/namespaces/${id}/rename-custom-search-attribute`, {
    existingCustomSearchAttributeName: from,
    newCustomSearchAttributeName: to,
    resourceVersion,
  })

async function created(name: string, more: object = {}) {
  const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: spec(name, more) })
  expect(answer).toMatchObject({ status: 200 })
  await settle(answer.body.namespace)
  return read(answer.body.namespace)
}

/** Updates, settles, and reads what came of it. */
async function updated(before: { namespace: string; resourceVersion: string }, next: object) {
  expect(await update(before.namespace, next, before.resourceVersion)).toMatchObject({ status: 200 })
  await settle(before.namespace)
  return read(before.namespace)
}

const keyword = 'SEARCH_ATTRIBUTE_TYPE_KEYWORD'
const int = 'SEARCH_ATTRIBUTE_TYPE_INT'

describe('search attributes', () => {
  test('the stale version after a rename: Get, Rename, Update with the first version and both names', async () => {
    const before = await created('terraform', { searchAttributes: { Customer: keyword, Amount: int } })
    const version = before.resourceVersion
    expect(await rename('terraform.aaaaa', 'Customer', 'Buyer', version)).toMatchObject({
      status: 200,
      body: { asyncOperation: { operationType: 'RenameCustomSearchAttribute', state: 'STATE_PENDING' } },
    })
    await settle('terraform.aaaaa')
    const renamed = await read('terraform.aaaaa')
    expect(renamed).toMatchObject({ resourceVersion: version, spec: { searchAttributes: { Buyer: keyword } } })
    expect(renamed.spec.searchAttributes).not.toHaveProperty('Customer')
    const both = {
      ...before.spec,
      customSearchAttributes: {},
      searchAttributes: { Customer: keyword, Buyer: keyword, Amount: int },
    }
    expect(await update('terraform.aaaaa', both, version)).toMatchObject({ status: 200 })
    const after = await read('terraform.aaaaa')
    expect(after.spec.searchAttributes).toEqual({ Amount: int, Buyer: keyword, Customer: keyword })
    // What workflows stored as Customer is Buyer's now, and the new Customer begins empty.
    const { rows } = await api.admin.query(
      "select spec->'searchAttributes' as attributes from namespaces where id = 'terraform.aaaaa'",
    )
    expect(rows[0].attributes).toMatchObject({ Buyer: { column: 'Keyword01' }, Customer: { column: 'Keyword02' } })
  })

  test('an update that omits an existing one is refused', async () => {
    const {
      namespace,
      resourceVersion,
      spec: same,
    } = await created('omit', { searchAttributes: { A: keyword, B: int } })
    const refused = await update(
      namespace,
      { ...same, customSearchAttributes: {}, searchAttributes: { A: keyword } },
      resourceVersion,
    )
    expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(refused.body.message).toContain('"B" is missing')
  })

  test('a type cannot be changed', async () => {
    const { namespace, resourceVersion, spec: same } = await created('retype', { searchAttributes: { A: keyword } })
    const refused = await update(
      namespace,
      { ...same, customSearchAttributes: {}, searchAttributes: { A: int } },
      resourceVersion,
    )
    expect(refused.body.message).toContain('the type of "A" is Keyword and cannot be changed')
  })

  test('the deprecated field of strings is filled on output and accepted on input', async () => {
    const types = ['text', 'keyword', 'int', 'double', 'bool', 'datetime', 'keyword_list']
    const old = Object.fromEntries(types.map((type) => [`a-${type}`, type]))
    const { spec: seen } = await created('old-strings', { customSearchAttributes: old })
    expect(seen.customSearchAttributes).toEqual(old)
    expect(seen.searchAttributes).toEqual(
      Object.fromEntries(types.map((type) => [`a-${type}`, `SEARCH_ATTRIBUTE_TYPE_${type.toUpperCase()}`])),
    )
  })

  test('a client that clears every deprecated field may send back what is left', async () => {
    const { namespace, resourceVersion, spec: same } = await created('cleared', { searchAttributes: { A: keyword } })
    const { customSearchAttributes: _old, regions: _regions, ...left } = same
    const answer = await update(namespace, { ...left, retentionDays: 3 }, resourceVersion)
    expect(answer).toMatchObject({ status: 200 })
    expect((await read(namespace)).spec).toMatchObject({ regions: ['aws-us-east-1'], searchAttributes: { A: keyword } })
  })

  test('there may be 20 Bool, Datetime, Double and Int, 40 Keyword, 5 KeywordList and Text, and no more', async () => {
    const limits = { BOOL: 20, DATETIME: 20, DOUBLE: 20, INT: 20, KEYWORD: 40, KEYWORD_LIST: 5, TEXT: 5 }
    const all = Object.entries(limits).flatMap(([type, count]) =>
      Array.from({ length: count }, (_, n) => [`${type} ${n}`, `SEARCH_ATTRIBUTE_TYPE_${type}`] as const),
    )
    const full = await created('full', { searchAttributes: Object.fromEntries(all) })
    expect(Object.keys(full.spec.searchAttributes)).toHaveLength(130)
    for (const type of Object.keys(limits)) {
      const more = {
        ...full.spec,
        searchAttributes: { ...full.spec.searchAttributes, more: `SEARCH_ATTRIBUTE_TYPE_${type}` },
      }
      const refused = await update('full.aaaaa', more, full.resourceVersion)
      expect(refused, type).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
      expect(refused.body.message).toContain('at most')
    }
  })
})

describe('what an absent part of an update means', () => {
  test('lifecycle, codec_server, api_key_auth and mtls_auth: off', async () => {
    const before = await created('nil-off', {
      lifecycle: { enableDeleteProtection: true },
      codecServer: { endpoint: 'https://codec.test' },
      mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') },
    })
    const keysAlone = await updated(before, { name: 'nil-off', retentionDays: 7, apiKeyAuth: { enabled: true } })
    expect(keysAlone.spec.lifecycle).toEqual({})
    expect(keysAlone.spec).not.toHaveProperty('codecServer')
    expect(keysAlone.spec.mtlsAuth).toEqual({})
    const mtls = { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') }
    const mtlsAlone = await updated(keysAlone, { name: 'nil-off', retentionDays: 7, mtlsAuth: mtls })
    expect(mtlsAlone.spec.apiKeyAuth).toEqual({})
    expect(mtlsAlone.endpoints).not.toHaveProperty('grpcAddress')
  })

  test('replicas, regions, high_availability, capacity_spec and fairness: as they are', async () => {
    const before = await created('nil-keep', {
      highAvailability: { disableManagedFailover: true },
      capacitySpec: { onDemand: {} },
      fairness: { taskQueueFairnessEnabled: true },
    })
    const after = await updated(before, { name: 'nil-keep', retentionDays: 3, apiKeyAuth: { enabled: true } })
    expect(after.spec).toMatchObject({
      regions: ['aws-us-east-1'],
      replicas: [{ region: 'aws-us-east-1' }],
      highAvailability: { disableManagedFailover: true },
      capacitySpec: { onDemand: {} },
      fairness: { taskQueueFairnessEnabled: true },
    })
  })

  test('off and kept in one request, as Terraform sends it', async () => {
    const before = await created('nil-both', {
      lifecycle: { enableDeleteProtection: true },
      fairness: { taskQueueFairnessEnabled: true },
      searchAttributes: { A: keyword },
    })
    const { searchAttributes } = before.spec
    const next = {
      name: 'nil-both',
      regions: ['aws-us-east-1'],
      retentionDays: 7,
      apiKeyAuth: { enabled: true },
      searchAttributes,
    }
    const after = await updated(before, next)
    expect(after.spec.lifecycle).toEqual({})
    expect(after.spec.fairness).toEqual({ taskQueueFairnessEnabled: true })
  })
})

describe('presence', () => {
  test('api_key_auth is never nil', async () => {
    const mtls = { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') }
    await created('no-keys', { apiKeyAuth: null, mtlsAuth: mtls })
    expect((await overGrpc('no-keys.aaaaa'))?.spec?.apiKeyAuth).toEqual({})
  })

  test('capacity_spec, capacity, fairness and high_availability are nil until they are set', async () => {
    await created('bare')
    const bare = await overGrpc('bare.aaaaa')
    expect(bare?.spec?.capacitySpec).toBeNull()
    expect(bare?.capacity).toBeNull()
    expect(bare?.spec?.fairness).toBeNull()
    expect(bare?.spec?.highAvailability).toBeNull()
  })

  test('they are there once they are set, also to what they are by default', async () => {
    await created('set', {
      capacitySpec: { onDemand: {} },
      fairness: { taskQueueFairnessEnabled: false },
      highAvailability: {},
    })
    const seen = await overGrpc('set.aaaaa')
    expect(seen?.spec?.capacitySpec?.onDemand).not.toBeNull()
    expect(seen?.spec?.capacitySpec?.provisioned).toBeNull()
    expect(seen?.spec?.fairness?.taskQueueFairnessEnabled).toBe(false)
    expect(seen?.spec?.highAvailability?.disableManagedFailover).toBe(false)
  })

  test('a capacity_spec without a mode sets none', async () => {
    await created('modeless', { capacitySpec: {} })
    expect((await overGrpc('modeless.aaaaa'))?.spec?.capacitySpec).toBeNull()
  })

  test('a codec server that is set to nothing is none', async () => {
    await created('empty-codec', { codecServer: { endpoint: '' } })
    expect((await overGrpc('empty-codec.aaaaa'))?.spec?.codecServer).toBeNull()
  })

  test('last_modified_time is unset until something is modified; created_time and active_region are set', async () => {
    const before = await created('unmodified')
    expect(before.lastModifiedTime).toBeUndefined()
    expect(before).toMatchObject({ createdTime: expect.any(String), activeRegion: 'aws-us-east-1' })
    const after = await updated(before, { ...before.spec, retentionDays: 3 })
    expect(after.lastModifiedTime).toEqual(expect.any(String))
  })
})

describe('regions', () => {
  test.each([
    ['regions alone', { regions: ['aws-us-east-1'] }],
    ['replicas alone', { regions: [], replicas: [{ region: 'aws-us-east-1' }] }],
    ['both, the same', { regions: ['aws-us-east-1'], replicas: [{ region: 'aws-us-east-1' }] }],
  ])('%s are taken, and both are given back', async (_, regions) => {
    const name = `r-${Object.keys(regions).length}-${JSON.stringify(regions).length}`
    const seen = await created(name, regions)
    expect(seen.spec).toMatchObject({ regions: ['aws-us-east-1'], replicas: [{ region: 'aws-us-east-1' }] })
    expect(seen.replicas).toMatchObject([{ region: 'aws-us-east-1', isPrimary: true }])
    expect(seen.regionStatus).toHaveProperty('aws-us-east-1')
  })
})

describe('certificates', () => {
  test('CA bytes come back one by one as they were sent', async () => {
    const ca = Buffer.from(`\r\n# ours\r\n${api.ca}\n\n`)
    await api.grpc(owner.token, 'CreateNamespace', {
      spec: {
        name: 'verbatim',
        regions: ['aws-us-east-1'],
        retentionDays: 1,
        mtlsAuth: { enabled: true, acceptedClientCa: ca },
      },
    })
    const seen = (await overGrpc('verbatim.aaaaa'))?.spec?.mtlsAuth
    expect(Buffer.from(seen?.acceptedClientCa ?? []).equals(ca)).toBe(true)
    expect(seen?.acceptedClientCaDeprecated).toBe(ca.toString('base64'))
  })

  test('filters keep their order and all four fields, with mTLS off and without a CA too', async () => {
    const certificateFilters = [
      { commonName: 'b', organization: 'o', organizationalUnit: 'u', subjectAlternativeName: 's' },
      { subjectAlternativeName: '*.example.com' },
      { commonName: 'a' },
    ]
    const seen = await created('filters', { mtlsAuth: { certificateFilters } })
    expect(seen.spec.mtlsAuth.certificateFilters).toEqual(certificateFilters)
  })

  test('mTLS can be added to a namespace of API keys alone', async () => {
    const before = await created('keys-first')
    const mtlsAuth = { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') }
    const after = await updated(before, { ...before.spec, mtlsAuth })
    expect(after.endpoints).toMatchObject({ mtlsGrpcAddress: expect.any(String), grpcAddress: expect.any(String) })
  })

  test('at least one of CA and API keys', async () => {
    const refused = await api.rest(owner.token, 'POST', '/cloud/namespaces', {
      spec: spec('neither', { apiKeyAuth: {} }),
    })
    expect(refused.body.message).toContain('namespace not configured with authentication')
  })
})

describe('an update', () => {
  test('that changes nothing says `nothing to change`, for every part of the spec', async () => {
    const full = await created('echo-all', {
      lifecycle: { enableDeleteProtection: true },
      codecServer: { endpoint: 'https://codec.test', passAccessToken: true },
      mtlsAuth: {
        enabled: true,
        acceptedClientCa: Buffer.from(api.ca).toString('base64'),
        certificateFilters: [{ commonName: 'a' }],
      },
      searchAttributes: { A: keyword, B: int },
      capacitySpec: { onDemand: {} },
      fairness: { taskQueueFairnessEnabled: true },
      highAvailability: { disablePassivePollerForwarding: true },
    })
    const refused = await update(full.namespace, full.spec, full.resourceVersion)
    expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(refused.body.message).toContain('nothing to change')
  })

  test.each([
    ['a codec server', { codecServer: { endpoint: 'https://codec.test' } }],
    ['delete protection', { lifecycle: { enableDeleteProtection: true } }],
    ['flags of high availability', { highAvailability: { disableManagedFailover: true } }],
  ])('of %s acts at once, and leaves the namespace ACTIVE', async (what, change) => {
    const before = await created(`told-${what.length}`, {})
    const answer = await update(before.namespace, { ...before.spec, ...change }, before.resourceVersion)
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
    const after = await read(before.namespace)
    expect(after).toMatchObject({ state: 'RESOURCE_STATE_ACTIVE', resourceVersion: '2', spec: change })
    const stale = await update(before.namespace, { ...after.spec, codecServer: { endpoint: 'https://b.test' } }, '1')
    expect(stale).toMatchObject({ body: { code: status.FAILED_PRECONDITION } })
  })

  test.each([
    ['retention', { retentionDays: 3 }],
    ['filters', { mtlsAuth: { certificateFilters: [{ commonName: 'a' }] } }],
    ['an attribute', { searchAttributes: { A: keyword } }],
    ['capacity', { capacitySpec: { provisioned: { value: 2 } } }],
    ['fairness', { fairness: { taskQueueFairnessEnabled: true } }],
  ])('of %s is UPDATING until it acts', async (what, change) => {
    const before = await created(`acts-${what.length}-${what.slice(0, 2)}`, {})
    const answer = await update(before.namespace, { ...before.spec, ...change }, before.resourceVersion)
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
    const { id } = answer.body.asyncOperation
    expect(await read(before.namespace)).toMatchObject({ state: 'RESOURCE_STATE_UPDATING', asyncOperationId: id })
  })

  test('that failed is tried again by the same spec, also one that would act at once', async () => {
    const before = await created('failed-once')
    await api.admin.query("update namespaces set state = 'update_failed' where id = $1", [before.namespace])
    const next = { ...before.spec, lifecycle: { enableDeleteProtection: true } }
    const answer = await update(before.namespace, next, before.resourceVersion)
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
  })

  test('of a field that is not known to it is not dropped silently', async () => {
    const { namespace, resourceVersion, spec: same } = await created('unknown-field')
    expect(await update(namespace, { ...same, encryption: {} }, resourceVersion)).toMatchObject({ status: 400 })
  })
})

describe('lists and texts', () => {
  test('GetNamespaces.name is exact', async () => {
    await created('exactly')
    await created('exactly-not')
    const { body } = await api.rest(owner.token, 'GET', '/cloud/namespaces?name=exactly')
    expect(body.namespaces.map((one: { namespace: string }) => one.namespace)).toEqual(['exactly.aaaaa'])
  })

  test('the state is filled as text too, and so is the replica’s', async () => {
    const seen = await created('texts')
    expect(seen).toMatchObject({ state: 'RESOURCE_STATE_ACTIVE', stateDeprecated: 'active' })
    expect(seen.regionStatus['aws-us-east-1']).toMatchObject({ state: 'STATE_ACTIVE', stateDeprecated: 'active' })
    expect(seen.replicas).toMatchObject([{ state: 'REPLICA_STATE_ACTIVE' }])
  })

  test('the limit of actions a second is there for everybody', async () => {
    expect((await created('limit')).limits).toEqual({ actionsPerSecondLimit: 500 })
  })
})
