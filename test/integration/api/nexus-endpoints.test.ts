import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allowing, endpointsPath, NexusFixture, specOf, to } from './nexus-fixture.ts'

let nexus: NexusFixture
beforeAll(async () => {
  nexus = await NexusFixture.start()
})
afterAll(() => nexus.close())

describe('creating', () => {
  test('is pending until a reconciler has done it, which is woken', async () => {
    const answer = await nexus.create(specOf('created'), nexus.owner.token, { asyncOperationId: 'create-1' })
    expect(answer).toMatchObject({
      status: 200,
      body: { asyncOperation: { id: 'create-1', state: 'STATE_PENDING', operationType: 'CreateNexusEndpoint' } },
    })
    const { endpointId: id } = answer.body
    expect(id).toMatch(/^nexus-/)
    expect(await nexus.read(id)).toMatchObject({
      id,
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVATING',
      asyncOperationId: 'create-1',
      spec: specOf('created'),
    })
    const { rows } = await nexus.api.admin.query('select key from graphile_worker.jobs where key = $1', [
      `reconcile-nexus-endpoint:${id}`,
    ])
    expect(rows).toHaveLength(1)
    // The same request again is the same operation; another one under its id is refused.
    expect(
      (await nexus.create(specOf('created'), nexus.owner.token, { asyncOperationId: 'create-1' })).body.endpointId,
    ).toBe(id)
    expect((await nexus.create(specOf('other'), nexus.owner.token, { asyncOperationId: 'create-1' })).body.code).toBe(
      status.ALREADY_EXISTS,
    )
    await nexus.settle(id, 'active')
    expect((await nexus.read(id)).asyncOperationId ?? '').toBe('')
  })

  test('gives the same over gRPC', async () => {
    const spec = { ...specOf('over-grpc'), description: { metadata: {}, data: new Uint8Array() } }
    const endpointId = (await nexus.api.grpc(nexus.owner.token, 'CreateNexusEndpoint', { spec })).endpointId ?? ''
    const { endpoint } = await nexus.api.grpc(nexus.owner.token, 'GetNexusEndpoint', { endpointId })
    expect(endpoint?.spec).toMatchObject({ name: 'over-grpc', targetSpec: specOf('').targetSpec })
    expect(endpoint?.spec?.description).toMatchObject({})
    expect(endpoint?.spec?.description).not.toBeNull()
    await expect(nexus.api.grpc(nexus.stranger.token, 'GetNexusEndpoint', { endpointId })).rejects.toMatchObject({
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
    const { status: http, body } = await nexus.create({ ...specOf('invalid'), ...change })
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
      const answer = await nexus.create(specOf('not-found', change))
      expect(answer, JSON.stringify(change)).toMatchObject({ status: 404, body: { code: status.NOT_FOUND } })
      expect(answer.body.message).toMatch(/^namespace "(\w+\.\w+)" not found$/)
    }
    const { rows } = await nexus.api.admin.query("select id from nexus_endpoints where name = 'not-found'")
    expect(rows).toEqual([])
  })

  test('takes a name once in an account, and in every account', async () => {
    await nexus.newEndpoint('taken')
    expect((await nexus.create(specOf('taken'))).body.code).toBe(status.ALREADY_EXISTS)
    await nexus.newEndpoint('taken', { ...to('target.bbbbb'), ...allowing('caller.bbbbb') }, nexus.stranger.token)
  })

  test('ends at the limit', async () => {
    const rich = await nexus.api.newTenant('ccccc')
    await nexus.newNamespace('ccccc', 'target')
    await nexus.api.admin.query(
      `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
       select 'nexus-limit' || n, 'ccccc', 'limit' || n, 'target.ccccc', 'q', '{}', 'usr' from generate_series(1, 100) n`,
    )
    const one = specOf('one-more', { ...to('target.ccccc'), policySpecs: [] })
    expect((await nexus.create(one, rich.token)).body.code).toBe(status.FAILED_PRECONDITION)
    await nexus.api.admin.query("update nexus_endpoints set state = 'deleted' where id = 'nexus-limit1'")
    expect((await nexus.create(one, rich.token)).status).toBe(200)
  })
})

test('the callers of all endpoints together have a limit', async () => {
  const rich = await nexus.api.newTenant('eeeee')
  for (const name of ['target', 'one', 'two']) await nexus.newNamespace('eeeee', name)
  await nexus.api.admin.query(
    `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, created_by)
     values ('nexus-full', 'eeeee', 'full', 'target.eeeee', 'q', array_fill('one.eeeee'::text, array[1999]), 'usr')`,
  )
  const spec = (...callers: string[]) => specOf('last', { ...to('target.eeeee'), ...allowing(...callers) })
  expect((await nexus.create(spec('one.eeeee', 'two.eeeee'), rich.token)).body.code).toBe(status.FAILED_PRECONDITION)
  const created = await nexus.create(spec('one.eeeee'), rich.token)
  expect(created.status).toBe(200)
  const update = { spec: spec('one.eeeee', 'two.eeeee'), resourceVersion: '1' }
  const answer = await nexus.api.rest(rich.token, 'POST', `${endpointsPath}/${created.body.endpointId}`, update)
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
      await nexus.newEndpoint('described-not'),
      await nexus.newEndpoint('described-empty', { description: {} }),
      await nexus.newEndpoint('described-text', { description: json('') }),
    ]
    expect((await nexus.read(none)).spec).not.toHaveProperty('description')
    expect((await nexus.read(empty)).spec.description).toEqual({})
    expect((await nexus.read(text)).spec.description).toEqual(json(''))
    for (const id of [none, empty, text])
      expect((await nexus.read(id)).spec).not.toHaveProperty('descriptionDeprecated')
  })

  test('come back byte for byte, and the text of old clients becomes one', async () => {
    const odd = { metadata: { b: base64('2'), a: base64('\u0000\u0001') }, data: base64('{not json') }
    expect((await nexus.read(await nexus.newEndpoint('odd', { description: odd }))).spec.description).toEqual(odd)
    const { spec } = await nexus.read(await nexus.newEndpoint('old', { descriptionDeprecated: 'Pays "them"' }))
    expect(spec).toMatchObject({ description: json('Pays "them"'), descriptionDeprecated: 'Pays "them"' })
  })

  test('removed and emptied are two changes', async () => {
    const id = await nexus.newEndpoint('undescribed', { description: json('x') })
    const update = async (description: object | undefined, resourceVersion: string) => {
      const spec = { ...specOf('undescribed'), ...(description === undefined ? {} : { description }) }
      const answer = await nexus.api.rest(nexus.owner.token, 'POST', `${endpointsPath}/${id}`, {
        spec,
        resourceVersion,
      })
      await nexus.settle(id, 'active')
      return answer
    }
    expect((await update({}, '1')).status).toBe(200)
    expect((await update({}, '2')).body.message).toContain('nothing to change')
    expect((await update(undefined, '2')).status).toBe(200)
    expect((await nexus.read(id)).spec).not.toHaveProperty('description')
    expect((await update(undefined, '3')).body.message).toContain('nothing to change')
  })
})

describe('listing', () => {
  test('by id, in pages, with filters that all have to fit', async () => {
    const lister = await nexus.api.newTenant('ddddd')
    for (const name of ['target', 'other']) await nexus.newNamespace('ddddd', name)
    const ids: string[] = []
    for (const [name, target, queue] of [
      ['one', 'target.ddddd', 'q1'],
      ['two', 'target.ddddd', 'q2'],
      ['three', 'other.ddddd', 'q1'],
    ] as const) {
      ids.push(await nexus.newEndpoint(name, { ...to(target, queue), policySpecs: [] }, lister.token))
    }
    const list = async (query: string, token = lister.token) => {
      const { status: http, body } = await nexus.api.rest(token, 'GET', `${endpointsPath}${query}`)
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
    for (const query of misused)
      expect((await nexus.api.rest(lister.token, 'GET', `${endpointsPath}${query}`)).status).toBe(400)
    expect(
      (await nexus.api.rest(nexus.owner.token, 'GET', `${endpointsPath}?pageSize=2&pageToken=${token}`)).status,
    ).toBe(400)
    expect((await list('?name=one', nexus.stranger.token)).endpoints ?? []).toEqual([])
  })
})

describe('updating', () => {
  test('replaces the spec by compare-and-set', async () => {
    const id = await nexus.newEndpoint('updated')
    const update = (change: object, resourceVersion = '1', token = nexus.owner.token) =>
      nexus.api.rest(token, 'POST', `${endpointsPath}/${id}`, { spec: specOf('updated', change), resourceVersion })
    expect((await update({})).body).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('nothing to change'),
    })
    expect((await update({ name: 'renamed' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ name: 'renamed' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    // Stale comes before what is wrong with the spec.
    expect((await update({ name: '' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ name: 'renamed' }, '1', nexus.stranger.token)).status).toBe(404)
    const answer = await update({
      name: 'renamed',
      ...to('other.aaaaa', 'q'),
      ...allowing('second.aaaaa', 'caller.aaaaa'),
    })
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
    expect(await nexus.read(id)).toMatchObject({
      resourceVersion: '2',
      state: 'RESOURCE_STATE_UPDATING',
      asyncOperationId: answer.body.asyncOperation.id,
      spec: { name: 'renamed', ...to('other.aaaaa', 'q'), ...allowing('second.aaaaa', 'caller.aaaaa') },
    })
    expect((await update({ name: 'late' }, '1')).body.code).toBe(status.FAILED_PRECONDITION)
  })

  test('keeps to the rules of creating', async () => {
    const id = await nexus.newEndpoint('updated-badly')
    await nexus.newEndpoint('in-the-way')
    const update = async (change: object) =>
      (
        await nexus.api.rest(nexus.owner.token, 'POST', `${endpointsPath}/${id}`, {
          spec: specOf('updated-badly', change),
          resourceVersion: '1',
        })
      ).body.code
    expect(await update({ name: 'in-the-way' })).toBe(status.ALREADY_EXISTS)
    expect(await update(to('target.bbbbb'))).toBe(status.NOT_FOUND)
    expect(await update(allowing('caller.bbbbb'))).toBe(status.NOT_FOUND)
    expect(await update({ name: '-' })).toBe(status.INVALID_ARGUMENT)
    const missing = { spec: specOf('x'), resourceVersion: '1' }
    expect((await nexus.api.rest(nexus.owner.token, 'POST', `${endpointsPath}/nexus-missing`, missing)).status).toBe(
      404,
    )
  })
})

test('of several that want a name at once, one gets it', async () => {
  const ids = await Promise.all([1, 2, 3, 4].map((n) => nexus.newEndpoint(`rival-${n}`)))
  const rename = (id: string) =>
    nexus.api.rest(nexus.owner.token, 'POST', `${endpointsPath}/${id}`, {
      spec: specOf('the-name'),
      resourceVersion: '1',
    })
  const answers = await Promise.all([...ids.map(rename), nexus.create(specOf('the-name'))])
  expect(answers.filter(({ status: http }) => http === 200)).toHaveLength(1)
  const others = answers.filter(({ status: http }) => http !== 200).map(({ body }) => body.code)
  expect(others).toEqual([1, 2, 3, 4].map(() => status.ALREADY_EXISTS))
})

describe('deleting', () => {
  test('is done once, and the name is free afterwards', async () => {
    const id = await nexus.newEndpoint('deleted')
    const remove = (version = '1', token = nexus.owner.token) =>
      nexus.api.rest(token, 'DELETE', `${endpointsPath}/${id}?resourceVersion=${version}`)
    expect((await remove('7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await remove('1', nexus.stranger.token)).status).toBe(404)
    expect((await remove()).status).toBe(200)
    expect((await nexus.read(id)).state).toBe('RESOURCE_STATE_DELETING')
    expect((await remove('2')).body.code).toBe(status.FAILED_PRECONDITION)
    const spec = specOf('deleted', { policySpecs: [] })
    const update = await nexus.api.rest(nexus.owner.token, 'POST', `${endpointsPath}/${id}`, {
      spec,
      resourceVersion: '2',
    })
    expect(update.body.code).toBe(status.FAILED_PRECONDITION)
    expect((await nexus.create(specOf('deleted'))).body.code).toBe(status.ALREADY_EXISTS)
    await nexus.settle(id, 'deleted')
    expect((await nexus.api.rest(nexus.owner.token, 'GET', `${endpointsPath}/${id}`)).status).toBe(404)
    expect((await remove('2')).status).toBe(404)
    await nexus.newEndpoint('deleted')
  })
})

describe('deleting a namespace', () => {
  const remove = (id: string) =>
    nexus.api.rest(nexus.owner.token, 'DELETE', `/cloud/namespaces/${id}?resourceVersion=1`)

  test('is refused while it is a target, with the endpoints by name', async () => {
    await nexus.newNamespace('aaaaa', 'needed')
    const id = await nexus.newEndpoint('needs-it', to('needed.aaaaa'))
    const answer = await remove('needed.aaaaa')
    expect(answer.body).toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining('"needs-it"'),
    })
    await nexus.settle(id, 'deleted')
    expect((await remove('needed.aaaaa')).status).toBe(200)
  })

  test('takes it out of the policies that name it, which are brought to the cell', async () => {
    await nexus.newNamespace('aaaaa', 'leaving')
    const id = await nexus.newEndpoint('left', allowing('caller.aaaaa', 'leaving.aaaaa'))
    await nexus.api.admin.query('delete from graphile_worker._private_jobs')
    expect((await remove('leaving.aaaaa')).status).toBe(200)
    expect(await nexus.read(id)).toMatchObject({
      resourceVersion: '2',
      state: 'RESOURCE_STATE_UPDATING',
      spec: allowing('caller.aaaaa'),
    })
    const { rows } = await nexus.api.admin.query(
      "select key from graphile_worker.jobs where key like 'reconcile-nexus%'",
    )
    expect(rows).toEqual([{ key: `reconcile-nexus-endpoint:${id}` }])
    expect((await nexus.create(specOf('too-late', to('leaving.aaaaa')))).status).toBe(404)
  })
})
