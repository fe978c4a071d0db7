import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

function spec(name: string, more: object = {}) {
  return { name, regions: ['aws-us-east-1'], retentionDays: 7, apiKeyAuth: { enabled: true }, ...more }
}

/** What the provisioner does, once the namespace answers. */
async function settle(id: string): Promise<void> {
  await api.admin.query("update namespaces set state = 'active' where id = $1", [id])
  await api.admin.query(
    "update operations set state = 'fulfilled', started_at = now(), finished_at = now() where resource_id = $1",
    [id],
  )
}

async function created(name: string, more: object = {}) {
  const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: spec(name, more) })
  expect(answer).toMatchObject({ status: 200 })
  await settle(answer.body.namespace)
  return (await api.rest(owner.token, 'GET', `/cloud/namespaces/${answer.body.namespace}`)).body.namespace
}

describe('CreateNamespace', () => {
  test('answers with a pending operation, wakes the reconciler, and shows a namespace that comes up', async () => {
    const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', {
      spec: spec('orders', { mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') } }),
      tags: { team: 'a' },
    })
    expect(answer).toMatchObject({
      status: 200,
      body: {
        namespace: 'orders.aaaaa',
        asyncOperation: { state: 'STATE_PENDING', stateDeprecated: 'pending', checkDuration: '1s' },
      },
    })
    const { asyncOperation } = answer.body
    expect(asyncOperation.operationType).toBe('CreateNamespace')
    expect(asyncOperation.operationInput).toMatchObject({
      '@type': 'type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateNamespaceRequest',
      spec: { name: 'orders' },
    })
    const { rows } = await api.admin.query(
      "select key from graphile_worker.jobs where key = 'reconcile-namespace:orders.aaaaa'",
    )
    expect(rows).toHaveLength(1)
    const { body } = await api.rest(owner.token, 'GET', '/cloud/namespaces/orders.aaaaa')
    expect(body.namespace).toMatchObject({
      namespace: 'orders.aaaaa',
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVATING',
      stateDeprecated: 'activating',
      asyncOperationId: asyncOperation.id,
      activeRegion: 'aws-us-east-1',
      endpoints: {
        mtlsGrpcAddress: 'orders.aaaaa.example.test:7233',
        grpcAddress: 'orders.aaaaa.example.test:7233',
      },
      spec: { regions: ['aws-us-east-1'], replicas: [{ region: 'aws-us-east-1' }], apiKeyAuth: { enabled: true } },
      tags: { team: 'a' },
    })
    expect(Buffer.from(body.namespace.spec.mtlsAuth.acceptedClientCa, 'base64').toString()).toBe(api.ca)
    expect(Buffer.from(body.namespace.spec.mtlsAuth.acceptedClientCaDeprecated, 'base64').toString()).toBe(api.ca)
    for (const unset of ['lastModifiedTime', 'capacity']) expect(body.namespace).not.toHaveProperty(unset)
    for (const unset of ['capacitySpec', 'fairness']) expect(body.namespace.spec).not.toHaveProperty(unset)
  })

  test('over gRPC keeps presence: api_key_auth is there although it is off, capacity and fairness are not', async () => {
    const ca = Buffer.from(`# with a remark\r\n${api.ca}`)
    const answer = await api.grpc(owner.token, 'CreateNamespace', {
      spec: {
        name: 'presence',
        replicas: [{ region: 'aws-us-east-1' }],
        retentionDays: 1,
        mtlsAuth: { enabled: true, acceptedClientCa: ca },
      },
    })
    const { namespace } = await api.grpc(owner.token, 'GetNamespace', { namespace: answer.namespace ?? '' })
    expect(namespace?.spec?.apiKeyAuth).not.toBeNull()
    expect(namespace?.spec?.apiKeyAuth?.enabled).toBe(false)
    expect(namespace?.endpoints?.grpcAddress).toBe('')
    expect(namespace?.spec?.capacitySpec).toBeNull()
    expect(namespace?.spec?.fairness).toBeNull()
    expect(namespace?.lastModifiedTime).toBeNull()
    expect(Buffer.from(namespace?.spec?.mtlsAuth?.acceptedClientCa ?? []).equals(ca)).toBe(true)
  })

  test.each([
    ['a bad name', spec('Bad_Name'), 'spec.name'],
    ['no region', spec('ok-name', { regions: [] }), 'spec.replicas'],
    ['an unknown region', spec('ok-name', { regions: ['aws-mars-1'] }), 'spec.replicas'],
    ['two regions', spec('ok-name', { regions: ['aws-us-east-1', 'gcp-europe-west1'] }), 'spec.replicas'],
    ['regions that differ', spec('ok-name', { replicas: [{ region: 'gcp-europe-west1' }] }), 'spec.replicas'],
    ['no retention', spec('ok-name', { retentionDays: 0 }), 'spec.retention_days'],
    ['no authentication', spec('ok-name', { apiKeyAuth: { enabled: false } }), 'spec'],
    [
      'text that is no PEM',
      spec('ok-name', { mtlsAuth: { enabled: true, acceptedClientCa: 'aGVsbG8=' } }),
      'spec.mtls_auth.accepted_client_ca',
    ],
    [
      'a search attribute of the server',
      spec('ok-name', { searchAttributes: { WorkflowId: 'SEARCH_ATTRIBUTE_TYPE_KEYWORD' } }),
      'spec.search_attributes',
    ],
    ['a search attribute without a type', spec('ok-name', { searchAttributes: { a: 0 } }), 'spec.search_attributes'],
    [
      'an old search attribute of a type that is none',
      spec('ok-name', { customSearchAttributes: { a: 'integer' } }),
      'spec.custom_search_attributes',
    ],
    [
      'search attributes that differ',
      spec('ok-name', { searchAttributes: { a: 1 }, customSearchAttributes: { a: 'int' } }),
      'spec.custom_search_attributes',
    ],
    [
      'a provisioned capacity',
      spec('ok-name', { capacitySpec: { provisioned: { value: 2 } } }),
      'spec.capacity_spec.provisioned',
    ],
    ['an http codec', spec('ok-name', { codecServer: { endpoint: 'http://x' } }), 'spec.codec_server.endpoint'],
    [
      'a text with U+0000',
      spec('ok-name', { codecServer: { endpoint: 'https://x/\0' } }),
      'spec.codec_server.endpoint',
    ],
  ])('refuses %s, naming the field, and leaves no operation', async (_what, bad, field) => {
    const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: bad, asyncOperationId: 'refused' })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    const fields = answer.body.details[0].fieldViolations.map((violation: { field: string }) => violation.field)
    expect(fields).toContain(field)
    expect((await api.rest(owner.token, 'GET', '/cloud/operations/refused')).status).toBe(404)
  })

  test('refuses a bad tag, and eleven of them', async () => {
    const bad = (tags: object) => api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: spec('tagged'), tags })
    expect(await bad({ UPPER: 'x' })).toMatchObject({ status: 400 })
    expect(await bad(Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`t${i}`, 'x'])))).toMatchObject({
      status: 400,
    })
  })

  test('never gives a name twice', async () => {
    await created('taken')
    const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: spec('taken') })
    expect(answer).toMatchObject({ status: 409, body: { code: status.ALREADY_EXISTS } })
  })

  test('of 100 equal requests in parallel one has an effect, and all get its operation', async () => {
    const request = { spec: spec('parallel'), asyncOperationId: 'parallel-1', tags: { a: '1', b: '2' } }
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        api.rest(owner.token, 'POST', '/cloud/namespaces', {
          ...request,
          // Go writes maps in another order each time: that is the same request.
          tags: index % 2 === 0 ? { a: '1', b: '2' } : { b: '2', a: '1' },
        }),
      ),
    )
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    expect(new Set(answers.map((answer) => answer.body.asyncOperation.id))).toEqual(new Set(['parallel-1']))
    const { rows } = await api.admin.query("select id from operations where resource_id = 'parallel.aaaaa'")
    expect(rows).toHaveLength(1)
  })

  test('refuses an operation id that stood for another request, or for somebody else’s', async () => {
    const first = { spec: spec('once'), asyncOperationId: 'once-1' }
    expect((await api.rest(owner.token, 'POST', '/cloud/namespaces', first)).status).toBe(200)
    const other = { spec: spec('twice'), asyncOperationId: 'once-1' }
    expect(await api.rest(owner.token, 'POST', '/cloud/namespaces', other)).toMatchObject({
      status: 409,
      body: { code: status.ALREADY_EXISTS },
    })
    const colleague = await api.newUser('aaaaa', 'admin')
    expect(await api.rest(colleague.token, 'POST', '/cloud/namespaces', first)).toMatchObject({ status: 409 })
    // Another tenant's ids are its own.
    expect((await api.rest(stranger.token, 'POST', '/cloud/namespaces', first)).body.namespace).toBe('once.bbbbb')
  })

  test('makes a developer admin of what they create, and lets no reader create', async () => {
    const developer = await api.newUser('aaaaa', 'developer')
    const reader = await api.newUser('aaaaa', 'read')
    await created('not-theirs')
    const answer = await api.rest(developer.token, 'POST', '/cloud/namespaces', { spec: spec('theirs') })
    expect(answer.status).toBe(200)
    expect((await api.rest(developer.token, 'GET', '/cloud/namespaces/theirs.aaaaa')).status).toBe(200)
    expect((await api.rest(developer.token, 'GET', '/cloud/namespaces/not-theirs.aaaaa')).status).toBe(404)
    const listed = await api.rest(developer.token, 'GET', '/cloud/namespaces')
    expect(listed.body.namespaces.map((one: { namespace: string }) => one.namespace)).toEqual(['theirs.aaaaa'])
    expect(await api.rest(reader.token, 'POST', '/cloud/namespaces', { spec: spec('nobodys') })).toMatchObject({
      status: 403,
      body: { code: status.PERMISSION_DENIED },
    })
  })
})

describe('GetNamespaces', () => {
  test('pages by name, finds a name exactly, and takes no token but its own', async () => {
    const tenant = await api.newTenant('paged')
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) {
      expect((await api.rest(tenant.token, 'POST', '/cloud/namespaces', { spec: spec(name) })).status).toBe(200)
    }
    const names: string[] = []
    let token = ''
    let pages = 0
    do {
      const { body } = await api.rest(tenant.token, 'GET', `/cloud/namespaces?pageSize=2&pageToken=${token}`)
      names.push(...body.namespaces.map((one: { spec: { name: string } }) => one.spec.name))
      token = body.nextPageToken ?? ''
      pages += 1
    } while (token !== '')
    expect([names, pages]).toEqual([['a1', 'a2', 'a3', 'a4', 'a5'], 3])
    const exact = await api.rest(tenant.token, 'GET', '/cloud/namespaces?name=a')
    expect(exact.body.namespaces ?? []).toEqual([])

    const { body } = await api.rest(tenant.token, 'GET', '/cloud/namespaces?pageSize=1')
    const own = encodeURIComponent(body.nextPageToken)
    expect(body.nextPageToken).not.toContain('a1')
    expect((await api.rest(tenant.token, 'GET', `/cloud/namespaces?pageToken=${own}`)).status).toBe(200)
    const foreign: readonly (readonly [string, string])[] = [
      [stranger.token, `/cloud/namespaces?pageToken=${own}`],
      [tenant.token, `/cloud/namespaces?name=a1&pageToken=${own}`],
      [tenant.token, `/cloud/api-keys?pageToken=${own}`],
      [tenant.token, '/cloud/namespaces?pageToken=garbage'],
    ]
    for (const [key, url] of foreign) {
      const refused = await api.rest(key, 'GET', url)
      expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
      expect(refused.body.message).toContain('page_token')
    }
    for (const size of [-1, 1001]) {
      expect((await api.rest(tenant.token, 'GET', `/cloud/namespaces?pageSize=${size}`)).body.message).toContain(
        'page_size',
      )
    }
  })
})

describe('UpdateNamespace', () => {
  const update = (id: string, body: object, token = owner.token) =>
    api.rest(token, 'POST', `/cloud/namespaces/${id}`, body)

  test('replaces the spec by compare-and-set: absent parts are off, the region stays', async () => {
    const before = await created('update-me', {
      lifecycle: { enableDeleteProtection: true },
      codecServer: { endpoint: 'https://codec.test' },
      mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(api.ca).toString('base64') },
    })
    expect(before.spec.lifecycle.enableDeleteProtection).toBe(true)
    const next = { name: 'update-me', retentionDays: 9, apiKeyAuth: { enabled: true } }
    const answer = await update(before.namespace, { spec: next, resourceVersion: before.resourceVersion })
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { operationType: 'UpdateNamespace' } } })
    const { body } = await api.rest(owner.token, 'GET', `/cloud/namespaces/${before.namespace}`)
    expect(body.namespace).toMatchObject({
      resourceVersion: '2',
      state: 'RESOURCE_STATE_UPDATING',
      endpoints: { grpcAddress: 'update-me.aaaaa.example.test:7233' },
      spec: { retentionDays: 9, regions: ['aws-us-east-1'], replicas: [{ region: 'aws-us-east-1' }] },
    })
    expect(body.namespace.endpoints).not.toHaveProperty('mtlsGrpcAddress')
    expect(body.namespace.lastModifiedTime).toBeDefined()
    expect(body.namespace.spec).not.toHaveProperty('codecServer')
    expect(body.namespace.spec.lifecycle).toEqual({})
    expect(body.namespace.spec.mtlsAuth).toEqual({})

    const stale = await update(before.namespace, { spec: { ...next, retentionDays: 3 }, resourceVersion: '1' })
    expect(stale).toMatchObject({ status: 400, body: { code: status.FAILED_PRECONDITION } })
    const missing = await update(before.namespace, { spec: { ...next, retentionDays: 3 } })
    expect(missing).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(missing.body.message).toContain('resource_version')
  })

  test('says `nothing to change` to what it gave out itself', async () => {
    const {
      namespace,
      spec: same,
      resourceVersion,
    } = await created('echo', {
      codecServer: { endpoint: 'https://codec.test', customErrorMessage: { default: { message: 'no' } } },
      mtlsAuth: {
        acceptedClientCa: Buffer.from(api.ca).toString('base64'),
        certificateFilters: [{ commonName: 'b' }, { commonName: 'a' }],
      },
    })
    const answer = await update(namespace, { spec: same, resourceVersion })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.message).toContain('nothing to change')
    const swapped = {
      ...same,
      mtlsAuth: { ...same.mtlsAuth, certificateFilters: [{ commonName: 'a' }, { commonName: 'b' }] },
    }
    expect((await update(namespace, { spec: swapped, resourceVersion })).status).toBe(200)
  })

  test('repeated under one operation id is the first one, whatever has happened since', async () => {
    const { namespace, resourceVersion } = await created('repeat')
    const body = { spec: spec('repeat', { retentionDays: 8 }), resourceVersion, asyncOperationId: 'repeat-1' }
    const first = await update(namespace, body)
    await settle(namespace)
    const second = await update(namespace, body)
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body.asyncOperation).toMatchObject({ id: 'repeat-1', state: 'STATE_FULFILLED' })
    const { body: now } = await api.rest(owner.token, 'GET', `/cloud/namespaces/${namespace}`)
    expect(now.namespace.resourceVersion).toBe('2')
  })

  test('keeps name and region as they are, and finds nothing of another tenant', async () => {
    const { namespace, spec: same, resourceVersion } = await created('fixed')
    for (const change of [{ name: 'other' }, { regions: ['gcp-europe-west1'], replicas: [] }]) {
      const answer = await update(namespace, { spec: { ...same, ...change }, resourceVersion })
      expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    }
    const changed = { spec: { ...same, retentionDays: 3 }, resourceVersion }
    expect((await update(namespace, changed, stranger.token)).status).toBe(404)
    expect((await update('missing.aaaaa', changed)).status).toBe(404)
  })
})

describe('DeleteNamespace', () => {
  const remove = (id: string, version: string, token = owner.token) =>
    api.rest(token, 'DELETE', `/cloud/namespaces/${id}?resourceVersion=${version}`)

  test('honours delete protection and the version, then marks it once', async () => {
    const { namespace, spec: same } = await created('guarded', { lifecycle: { enableDeleteProtection: true } })
    const refused = await remove(namespace, '1')
    expect(refused).toMatchObject({ status: 400, body: { code: status.FAILED_PRECONDITION } })
    expect(refused.body.message).toContain('delete protection')
    const open = { spec: { ...same, lifecycle: null }, resourceVersion: '1' }
    expect((await api.rest(owner.token, 'POST', `/cloud/namespaces/${namespace}`, open)).status).toBe(200)
    expect((await remove(namespace, '1')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await remove(namespace, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await remove(namespace, '2', stranger.token)).status).toBe(404)
    expect((await remove(namespace, '2')).status).toBe(200)
    expect((await remove(namespace, '3')).body.code).toBe(status.FAILED_PRECONDITION)
    const { body } = await api.rest(owner.token, 'GET', `/cloud/namespaces/${namespace}`)
    expect(body.namespace.state).toBe('RESOURCE_STATE_DELETING')
  })
})

describe('GetAsyncOperation', () => {
  test('shows an operation to its requester and to nobody of another tenant', async () => {
    const { body } = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec: spec('polled') })
    const url = `/cloud/operations/${body.asyncOperation.id}`
    expect((await api.rest(owner.token, 'GET', url)).body.asyncOperation.state).toBe('STATE_PENDING')
    expect((await api.rest(stranger.token, 'GET', url)).status).toBe(404)
    const outsider = await api.newUser('aaaaa', 'read')
    expect((await api.rest(outsider.token, 'GET', url)).status).toBe(404)
    await settle('polled.aaaaa')
    const done = (await api.rest(owner.token, 'GET', url)).body.asyncOperation
    expect(done).toMatchObject({ state: 'STATE_FULFILLED', stateDeprecated: 'fulfilled' })
    expect(done.finishedTime).toBeDefined()
    await expect(api.grpc(owner.token, 'GetAsyncOperation', { asyncOperationId: 'none' })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    })
  })
})
