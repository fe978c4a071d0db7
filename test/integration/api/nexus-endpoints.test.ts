import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let stranger: Principal

const path = '/cloud/nexus/endpoints'

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  stranger = await api.newTenant('bbbbb')
  for (const tenant of ['aaaaa', 'bbbbb']) {
    // None of this is about how much may be under way at once.
    await api.admin.query('update tenants set limits = $2 where id = $1', [tenant, { operationsInFlight: 1_000_000 }])
    for (const name of ['target', 'other', 'caller', 'second']) await newNamespace(tenant, name)
  }
})
afterAll(() => api.close())

async function newNamespace(tenant: string, name: string): Promise<string> {
  const id = `${name}.${tenant}`
  const spec = {
    name,
    regions: ['aws-us-east-1'],
    retentionDays: 1,
    mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] },
    apiKeyAuth: { enabled: true },
    deletionProtected: false,
  }
  await api.admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, state, created_by)
     values ($1, $2, $3, 'aws-us-east-1', $4, 'active', 'usr-1')`,
    [id, tenant, name, spec],
  )
  return id
}

function specOf(name: string, change: object = {}) {
  return {
    name,
    targetSpec: { workerTargetSpec: { namespaceId: 'target.aaaaa', taskQueue: 'payments' } },
    policySpecs: [{ allowedCloudNamespacePolicySpec: { namespaceId: 'caller.aaaaa' } }],
    ...change,
  }
}

const to = (namespaceId: string, taskQueue = 'payments') => ({
  targetSpec: { workerTargetSpec: { namespaceId, taskQueue } },
})
const allowing = (...ids: string[]) => ({
  policySpecs: ids.map((namespaceId) => ({ allowedCloudNamespacePolicySpec: { namespaceId } })),
})

const create = (spec: object, token = owner.token, more: object = {}) =>
  api.rest(token, 'POST', path, { spec, ...more })

/** A new endpoint on which nothing is under way any more. */
async function newEndpoint(name: string, change: object = {}, token = owner.token): Promise<string> {
  const answer = await create(specOf(name, change), token)
  expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 })
  await settle(answer.body.endpointId, 'active')
  return answer.body.endpointId
}

/** As the reconciler does it. */
async function settle(id: string, state: string): Promise<void> {
  await api.admin.query('update nexus_endpoints set state = $2 where id = $1', [id, state])
  await api.admin.query("update operations set state = 'fulfilled' where resource_id = $1", [id])
}

async function read(id: string, token = owner.token) {
  const answer = await api.rest(token, 'GET', `${path}/${id}`)
  expect(answer.status).toBe(200)
  return answer.body.endpoint
}

async function grant(tenant: string, role: string, grants: Readonly<Record<string, string>>): Promise<Principal> {
  const user = await api.newUser(tenant, role)
  for (const [namespaceId, permission] of Object.entries(grants)) {
    await api.admin.query(
      'insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ($1, $2, $3, $4)',
      [tenant, namespaceId, user.id, permission],
    )
  }
  return user
}

describe('creating', () => {
  test('is pending until a reconciler has done it, which is woken', async () => {
    const answer = await create(specOf('created'), owner.token, { asyncOperationId: 'create-1' })
    expect(answer).toMatchObject({
      status: 200,
      body: { asyncOperation: { id: 'create-1', state: 'STATE_PENDING', operationType: 'CreateNexusEndpoint' } },
    })
    const { endpointId: id } = answer.body
    expect(id).toMatch(/^nexus-/)
    expect(await read(id)).toMatchObject({
      id,
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVATING',
      asyncOperationId: 'create-1',
      spec: specOf('created'),
    })
    const { rows } = await api.admin.query('select key from graphile_worker.jobs where key = $1', [
      `reconcile-nexus-endpoint:${id}`,
    ])
    expect(rows).toHaveLength(1)
    // The same request again is the same operation; another one under its id is refused.
    expect((await create(specOf('created'), owner.token, { asyncOperationId: 'create-1' })).body.endpointId).toBe(id)
    expect((await create(specOf('other'), owner.token, { asyncOperationId: 'create-1' })).body.code).toBe(
      status.ALREADY_EXISTS,
    )
    await settle(id, 'active')
    expect((await read(id)).asyncOperationId ?? '').toBe('')
  })

  test('gives the same over gRPC', async () => {
    const spec = { ...specOf('over-grpc'), description: { metadata: {}, data: new Uint8Array() } }
    const endpointId = (await api.grpc(owner.token, 'CreateNexusEndpoint', { spec })).endpointId ?? ''
    const { endpoint } = await api.grpc(owner.token, 'GetNexusEndpoint', { endpointId })
    expect(endpoint?.spec).toMatchObject({ name: 'over-grpc', targetSpec: specOf('').targetSpec })
    expect(endpoint?.spec?.description).toMatchObject({})
    expect(endpoint?.spec?.description).not.toBeNull()
    await expect(api.grpc(stranger.token, 'GetNexusEndpoint', { endpointId })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    })
  })

  test.each([
    ['a bad name', { name: '1payments' }, 'spec.name'],
    ['no target', { targetSpec: undefined }, 'spec.target_spec.worker_target_spec'],
    ['no task queue', to('target.aaaaa', ''), 'task_queue'],
    ['a caller twice', allowing('caller.aaaaa', 'caller.aaaaa'), 'policy_specs[1]'],
    ['a policy of no kind', { policySpecs: [{}] }, 'policy_specs[0]'],
  ])('with %s is invalid', async (_, change, field) => {
    const { status: http, body } = await create({ ...specOf('invalid'), ...change })
    expect({ http, code: body.code }).toEqual({ http: 400, code: status.INVALID_ARGUMENT })
    expect(body.message).toContain(field)
  })

  test('wants namespaces of the own account, and says the same of foreign and of missing ones', async () => {
    for (const change of [
      to('target.bbbbb'),
      to('missing.aaaaa'),
      allowing('caller.bbbbb'),
      allowing('missing.aaaaa'),
      allowing('caller.aaaaa', 'caller.bbbbb'),
    ]) {
      const answer = await create(specOf('not-found', change))
      expect(answer, JSON.stringify(change)).toMatchObject({ status: 404, body: { code: status.NOT_FOUND } })
      expect(answer.body.message).toMatch(/^namespace "(\w+\.\w+)" not found$/)
    }
    const { rows } = await api.admin.query("select id from nexus_endpoints where name = 'not-found'")
    expect(rows).toEqual([])
  })

  test('takes a name once in an account, and in every account', async () => {
    await newEndpoint('taken')
    expect((await create(specOf('taken'))).body.code).toBe(status.ALREADY_EXISTS)
    await newEndpoint('taken', { ...to('target.bbbbb'), ...allowing('caller.bbbbb') }, stranger.token)
  })

  test('ends at the limit', async () => {
    const rich = await api.newTenant('ccccc')
    await newNamespace('ccccc', 'target')
    await api.admin.query(
      `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
       select 'nexus-limit' || n, 'ccccc', 'limit' || n, 'target.ccccc', 'q', '{}', 'usr' from generate_series(1, 100) n`,
    )
    const one = specOf('one-more', { ...to('target.ccccc'), policySpecs: [] })
    expect((await create(one, rich.token)).body.code).toBe(status.FAILED_PRECONDITION)
    await api.admin.query("update nexus_endpoints set state = 'deleted' where id = 'nexus-limit1'")
    expect((await create(one, rich.token)).status).toBe(200)
  })
})

test('the callers of all endpoints together have a limit', async () => {
  const rich = await api.newTenant('eeeee')
  for (const name of ['target', 'one', 'two']) await newNamespace('eeeee', name)
  await api.admin.query(
    `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
     values ('nexus-full', 'eeeee', 'full', 'target.eeeee', 'q', array_fill('one.eeeee'::text, array[1999]), 'usr')`,
  )
  const spec = (...callers: string[]) => specOf('last', { ...to('target.eeeee'), ...allowing(...callers) })
  expect((await create(spec('one.eeeee', 'two.eeeee'), rich.token)).body.code).toBe(status.FAILED_PRECONDITION)
  const created = await create(spec('one.eeeee'), rich.token)
  expect(created.status).toBe(200)
  const update = { spec: spec('one.eeeee', 'two.eeeee'), resourceVersion: '1' }
  const answer = await api.rest(rich.token, 'POST', `${path}/${created.body.endpointId}`, update)
  expect(answer.body).toMatchObject({
    code: status.FAILED_PRECONDITION,
    message: expect.stringContaining('2000 callers'),
  })
})

describe('descriptions', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const json = (text: string) => ({ metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify(text)) })

  test('none, an empty one and one of an empty text come back as what they are', async () => {
    const [none, empty, text] = [
      await newEndpoint('described-not'),
      await newEndpoint('described-empty', { description: {} }),
      await newEndpoint('described-text', { description: json('') }),
    ]
    expect((await read(none)).spec).not.toHaveProperty('description')
    expect((await read(empty)).spec.description).toEqual({})
    expect((await read(text)).spec.description).toEqual(json(''))
    for (const id of [none, empty, text]) expect((await read(id)).spec).not.toHaveProperty('descriptionDeprecated')
  })

  test('come back byte for byte, and the text of old clients becomes one', async () => {
    const odd = { metadata: { b: base64('2'), a: base64('\u0000\u0001') }, data: base64('{not json') }
    expect((await read(await newEndpoint('odd', { description: odd }))).spec.description).toEqual(odd)
    const { spec } = await read(await newEndpoint('old', { descriptionDeprecated: 'Pays "them"' }))
    expect(spec).toMatchObject({ description: json('Pays "them"'), descriptionDeprecated: 'Pays "them"' })
  })

  test('removed and emptied are two changes', async () => {
    const id = await newEndpoint('undescribed', { description: json('x') })
    const update = async (description: object | undefined, resourceVersion: string) => {
      const spec = { ...specOf('undescribed'), ...(description === undefined ? {} : { description }) }
      const answer = await api.rest(owner.token, 'POST', `${path}/${id}`, { spec, resourceVersion })
      await settle(id, 'active')
      return answer
    }
    expect((await update({}, '1')).status).toBe(200)
    expect((await update({}, '2')).body.message).toContain('nothing to change')
    expect((await update(undefined, '2')).status).toBe(200)
    expect((await read(id)).spec).not.toHaveProperty('description')
    expect((await update(undefined, '3')).body.message).toContain('nothing to change')
  })
})

describe('listing', () => {
  test('by id, in pages, with filters that all have to fit', async () => {
    const lister = await api.newTenant('ddddd')
    for (const name of ['target', 'other']) await newNamespace('ddddd', name)
    const ids: string[] = []
    for (const [name, target, queue] of [
      ['one', 'target.ddddd', 'q1'],
      ['two', 'target.ddddd', 'q2'],
      ['three', 'other.ddddd', 'q1'],
    ] as const) {
      ids.push(await newEndpoint(name, { ...to(target, queue), policySpecs: [] }, lister.token))
    }
    const list = async (query: string, token = lister.token) => {
      const { status: http, body } = await api.rest(token, 'GET', `${path}${query}`)
      expect(http).toBe(200)
      return body as { endpoints?: { id: string; spec: { name: string } }[]; nextPageToken?: string }
    }
    const names = async (query: string) => ((await list(query)).endpoints ?? []).map(({ spec }) => spec.name).sort()
    expect((await list('')).endpoints?.map(({ id }) => id)).toEqual(ids.toSorted())
    expect(await names('?name=one')).toEqual(['one'])
    expect(await names('?name=on')).toEqual([])
    expect(await names('?targetNamespaceId=target.ddddd')).toEqual(['one', 'two'])
    expect(await names('?targetTaskQueue=q1')).toEqual(['one', 'three'])
    expect(await names('?targetNamespaceId=target.ddddd&targetTaskQueue=q1')).toEqual(['one'])
    expect(await names('?targetNamespaceId=target.ddddd&targetTaskQueue=q1&name=two')).toEqual([])
    const first = await list('?pageSize=2')
    expect(first.endpoints?.map(({ id }) => id)).toEqual(ids.toSorted().slice(0, 2))
    const token = encodeURIComponent(first.nextPageToken ?? '')
    const second = await list(`?pageSize=2&pageToken=${token}`)
    expect(second.endpoints?.map(({ id }) => id)).toEqual(ids.toSorted().slice(2))
    expect(second.nextPageToken ?? '').toBe('')
    const misused = [`?pageSize=2&name=one&pageToken=${token}`, '?pageSize=-1', '?pageToken=x']
    for (const query of misused) expect((await api.rest(lister.token, 'GET', `${path}${query}`)).status).toBe(400)
    expect((await api.rest(owner.token, 'GET', `${path}?pageSize=2&pageToken=${token}`)).status).toBe(400)
    expect((await list('?name=one', stranger.token)).endpoints ?? []).toEqual([])
  })
})

describe('updating', () => {
  test('replaces the spec by compare-and-set', async () => {
    const id = await newEndpoint('updated')
    const update = (change: object, resourceVersion = '1', token = owner.token) =>
      api.rest(token, 'POST', `${path}/${id}`, { spec: specOf('updated', change), resourceVersion })
    expect((await update({})).body).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('nothing to change'),
    })
    expect((await update({ name: 'renamed' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ name: 'renamed' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    // Stale comes before what is wrong with the spec.
    expect((await update({ name: '' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ name: 'renamed' }, '1', stranger.token)).status).toBe(404)
    const answer = await update({
      name: 'renamed',
      ...to('other.aaaaa', 'q'),
      ...allowing('second.aaaaa', 'caller.aaaaa'),
    })
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
    expect(await read(id)).toMatchObject({
      resourceVersion: '2',
      state: 'RESOURCE_STATE_UPDATING',
      asyncOperationId: answer.body.asyncOperation.id,
      spec: { name: 'renamed', ...to('other.aaaaa', 'q'), ...allowing('second.aaaaa', 'caller.aaaaa') },
    })
    expect((await update({ name: 'late' }, '1')).body.code).toBe(status.FAILED_PRECONDITION)
  })

  test('keeps to the rules of creating', async () => {
    const id = await newEndpoint('updated-badly')
    await newEndpoint('in-the-way')
    const update = async (change: object) =>
      (
        await api.rest(owner.token, 'POST', `${path}/${id}`, {
          spec: specOf('updated-badly', change),
          resourceVersion: '1',
        })
      ).body.code
    expect(await update({ name: 'in-the-way' })).toBe(status.ALREADY_EXISTS)
    expect(await update(to('target.bbbbb'))).toBe(status.NOT_FOUND)
    expect(await update(allowing('caller.bbbbb'))).toBe(status.NOT_FOUND)
    expect(await update({ name: '-' })).toBe(status.INVALID_ARGUMENT)
    const missing = { spec: specOf('x'), resourceVersion: '1' }
    expect((await api.rest(owner.token, 'POST', `${path}/nexus-missing`, missing)).status).toBe(404)
  })
})

test('of several that want a name at once, one gets it', async () => {
  const ids = await Promise.all([1, 2, 3, 4].map((n) => newEndpoint(`rival-${n}`)))
  const rename = (id: string) =>
    api.rest(owner.token, 'POST', `${path}/${id}`, { spec: specOf('the-name'), resourceVersion: '1' })
  const answers = await Promise.all([...ids.map(rename), create(specOf('the-name'))])
  expect(answers.filter(({ status: http }) => http === 200)).toHaveLength(1)
  const others = answers.filter(({ status: http }) => http !== 200).map(({ body }) => body.code)
  expect(others).toEqual([1, 2, 3, 4].map(() => status.ALREADY_EXISTS))
})

describe('deleting', () => {
  test('is done once, and the name is free afterwards', async () => {
    const id = await newEndpoint('deleted')
    const remove = (version = '1', token = owner.token) =>
      api.rest(token, 'DELETE', `${path}/${id}?resourceVersion=${version}`)
    expect((await remove('7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await remove('1', stranger.token)).status).toBe(404)
    expect((await remove()).status).toBe(200)
    expect((await read(id)).state).toBe('RESOURCE_STATE_DELETING')
    expect((await remove('2')).body.code).toBe(status.FAILED_PRECONDITION)
    const spec = specOf('deleted', { policySpecs: [] })
    const update = await api.rest(owner.token, 'POST', `${path}/${id}`, { spec, resourceVersion: '2' })
    expect(update.body.code).toBe(status.FAILED_PRECONDITION)
    expect((await create(specOf('deleted'))).body.code).toBe(status.ALREADY_EXISTS)
    await settle(id, 'deleted')
    expect((await api.rest(owner.token, 'GET', `${path}/${id}`)).status).toBe(404)
    expect((await remove('2')).status).toBe(404)
    await newEndpoint('deleted')
  })
})

describe('who may', () => {
  test('a developer, with the target under administration, present and future', async () => {
    const developer = await grant('aaaaa', 'developer', { 'target.aaaaa': 'admin', 'caller.aaaaa': 'read' })
    const id = await newEndpoint('by-developer', {}, developer.token)
    const update = (change: object) =>
      api.rest(developer.token, 'POST', `${path}/${id}`, { spec: specOf('by-developer', change), resourceVersion: '1' })
    expect((await update(to('other.aaaaa'))).status).toBe(404)
    expect((await update(to('caller.aaaaa'))).body.code).toBe(status.PERMISSION_DENIED)
    expect((await create(specOf('elsewhere', to('caller.aaaaa')), developer.token)).body.code).toBe(
      status.PERMISSION_DENIED,
    )
    const foreign = await newEndpoint('of-other-target', to('other.aaaaa'))
    const takeOver = { spec: specOf('of-other-target'), resourceVersion: '1' }
    expect((await api.rest(developer.token, 'POST', `${path}/${foreign}`, takeOver)).status).toBe(404)
    expect((await api.rest(developer.token, 'DELETE', `${path}/${foreign}?resourceVersion=1`)).status).toBe(404)
    expect((await update({ policySpecs: [] })).status).toBe(200)
  })

  test('nobody else changes anything, and nobody without credentials sees anything', async () => {
    const id = await newEndpoint('guarded')
    const namespaceAdmin = await grant('aaaaa', 'read', { 'target.aaaaa': 'admin' })
    const body = { spec: specOf('guarded', { policySpecs: [] }), resourceVersion: '1' }
    for (const { token } of [namespaceAdmin, await api.newUser('aaaaa', 'finance_admin')]) {
      expect((await create(specOf('unwanted'), token)).body.code).toBe(status.PERMISSION_DENIED)
      expect((await api.rest(token, 'POST', `${path}/${id}`, body)).body.code).toBe(status.PERMISSION_DENIED)
      expect((await api.rest(token, 'DELETE', `${path}/${id}?resourceVersion=1`)).body.code).toBe(
        status.PERMISSION_DENIED,
      )
      expect((await api.rest(token, 'GET', `${path}/${id}`)).status).toBe(200)
    }
    for (const [method, url] of [
      ['GET', path],
      ['GET', `${path}/${id}`],
      ['POST', path],
      ['POST', `${path}/${id}`],
      ['DELETE', `${path}/${id}`],
    ] as const) {
      expect((await api.rest('', method, url, method === 'POST' ? {} : undefined)).status).toBe(401)
    }
  })
})

describe('deleting a namespace', () => {
  const remove = (id: string) => api.rest(owner.token, 'DELETE', `/cloud/namespaces/${id}?resourceVersion=1`)

  test('is refused while it is a target, with the endpoints by name', async () => {
    await newNamespace('aaaaa', 'needed')
    const id = await newEndpoint('needs-it', to('needed.aaaaa'))
    const answer = await remove('needed.aaaaa')
    expect(answer.body).toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining('"needs-it"'),
    })
    await settle(id, 'deleted')
    expect((await remove('needed.aaaaa')).status).toBe(200)
  })

  test('takes it out of the policies that name it, which are brought to the cell', async () => {
    await newNamespace('aaaaa', 'leaving')
    const id = await newEndpoint('left', allowing('caller.aaaaa', 'leaving.aaaaa'))
    await api.admin.query('delete from graphile_worker._private_jobs')
    expect((await remove('leaving.aaaaa')).status).toBe(200)
    expect(await read(id)).toMatchObject({
      resourceVersion: '2',
      state: 'RESOURCE_STATE_UPDATING',
      spec: allowing('caller.aaaaa'),
    })
    const { rows } = await api.admin.query("select key from graphile_worker.jobs where key like 'reconcile-nexus%'")
    expect(rows).toEqual([{ key: `reconcile-nexus-endpoint:${id}` }])
    expect((await create(specOf('too-late', to('leaving.aaaaa')))).status).toBe(404)
  })
})

test('row-level security alone keeps tenants apart', async () => {
  await newEndpoint('walled')
  const { Client } = await import('pg')
  const client = new Client({ connectionString: api.roleUrl('aqueduct_api') })
  await client.connect()
  try {
    expect((await client.query('select id from nexus_endpoints')).rows).toEqual([])
    await client.query("select set_config('aqueduct.tenant_id', 'bbbbb', false)")
    const { rows } = await client.query('select distinct tenant_id from nexus_endpoints')
    expect(rows).toEqual([{ tenant_id: 'bbbbb' }])
    expect((await client.query("update nexus_endpoints set name = 'x' where tenant_id = 'aaaaa'")).rowCount).toBe(0)
    await expect(client.query('update nexus_endpoints set served = true')).rejects.toThrow('permission denied')
  } finally {
    await client.end()
  }
})
