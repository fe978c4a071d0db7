import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

/** RenameCustomSearchAttribute, UpdateNamespaceTags and GetNamespaceCapacityInfo, case by case on both transports. */

let api: ApiUnderTest
let owner: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

async function settle(id: string): Promise<void> {
  await api.admin.query("update namespaces set state = 'active' where id = $1", [id])
  await api.admin.query("update operations set state = 'fulfilled' where resource_id = $1", [id])
}

async function created(name: string, more: object = {}, tags: object = {}): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 7, apiKeyAuth: { enabled: true }, ...more }
  const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec, tags })
  expect(answer).toMatchObject({ status: 200 })
  await settle(answer.body.namespace)
  return answer.body.namespace
}

const read = async (id: string) => (await api.rest(owner.token, 'GET', `/cloud/namespaces/${id}`)).body.namespace
const keyword = 'SEARCH_ATTRIBUTE_TYPE_KEYWORD'

describe('RenameCustomSearchAttribute', () => {
  const request = (namespace: string, more: object = {}) => ({
    namespace,
    existingCustomSearchAttributeName: 'A',
    newCustomSearchAttributeName: 'C',
    resourceVersion: '1',
    ...more,
  })
  const rest = (namespace: string, more: object = {}, token = owner.token) => {
    const { namespace: _, ...body } = request(namespace, more)
    return api.rest(token, 'POST', `/cloud/namespaces/${namespace}/rename-custom-search-attribute`, body)
  }
  const attributes = { searchAttributes: { A: keyword, B: keyword } }

  test('renames, keeps the version, and is UPDATING until it acts', async () => {
    const id = await created('rename', attributes)
    const answer = await rest(id)
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
    expect(await read(id)).toMatchObject({
      state: 'RESOURCE_STATE_UPDATING',
      resourceVersion: '1',
      asyncOperationId: answer.body.asyncOperation.id,
      lastModifiedTime: expect.any(String),
    })
    expect((await read(id)).spec.searchAttributes).toEqual({ B: keyword, C: keyword })
    const { rows } = await api.admin.query('select key from graphile_worker.jobs where key = $1', [
      `reconcile-namespace:${id}`,
    ])
    expect(rows).toHaveLength(1)
  })

  test('of two attributes at once, and an update beside it, loses none of the three', async () => {
    for (let round = 0; round < 5; round += 1) {
      const id = await created(`rename-race-${round}`, attributes)
      const { spec } = await read(id)
      const [first, second, update] = await Promise.all([
        rest(id),
        rest(id, { existingCustomSearchAttributeName: 'B', newCustomSearchAttributeName: 'D' }),
        api.rest(owner.token, 'POST', `/cloud/namespaces/${id}`, {
          spec: { ...spec, retentionDays: 3 },
          resourceVersion: '1',
        }),
      ])
      const after = (await read(id)).spec
      // An update that came first has made the version stale for the renames; one that came later lacks the new names.
      const expected = {
        [first.status === 200 ? 'C' : 'A']: keyword,
        [second.status === 200 ? 'D' : 'B']: keyword,
      }
      expect(after.searchAttributes).toEqual(expected)
      expect(after.retentionDays).toBe(update.status === 200 ? 3 : 7)
      expect([first, second, update].some((answer) => answer.status === 200)).toBe(true)
    }
  })

  test('over gRPC too', async () => {
    const id = await created('rename-grpc', attributes)
    const { asyncOperation } = await api.grpc(owner.token, 'RenameCustomSearchAttribute', request(id))
    expect(asyncOperation?.operationType).toBe('RenameCustomSearchAttribute')
    await expect(api.grpc(owner.token, 'RenameCustomSearchAttribute', request(id))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    })
  })

  test('repeated under one operation id is the first one', async () => {
    const id = await created('rename-twice', attributes)
    const [first, second] = [await rest(id, { asyncOperationId: 'r-1' }), await rest(id, { asyncOperationId: 'r-1' })]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(await rest(id, { asyncOperationId: 'r-1', newCustomSearchAttributeName: 'D' })).toMatchObject({
      status: 409,
    })
  })

  test.each([
    ['of none that is there', { existingCustomSearchAttributeName: 'Z' }, 'there is no search attribute "Z"'],
    ['of nothing', { existingCustomSearchAttributeName: '' }, 'there is no search attribute'],
    ['to the same', { newCustomSearchAttributeName: 'A' }, 'nothing to change'],
    ['to one that is there', { newCustomSearchAttributeName: 'B' }, '"B" exists already'],
    ['to a name of the server', { newCustomSearchAttributeName: 'WorkflowId' }, 'a name of the server itself'],
    ['to a bad name', { newCustomSearchAttributeName: 'a`b' }, 'must have 1 to 64'],
    ['without a version', { resourceVersion: '' }, 'resource_version'],
  ])('is refused %s', async (what, more, message) => {
    const id = await created(`refused-${what.length}-${message.length}`, attributes)
    const refused = await rest(id, more)
    expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(refused.body.message).toContain(message)
    expect(await read(id)).toMatchObject({ state: 'RESOURCE_STATE_ACTIVE', spec: attributes })
  })

  test('is refused to a stale version, to who may not, and finds nothing of another tenant', async () => {
    const id = await created('rename-guarded', attributes)
    expect(await rest(id, { resourceVersion: '7' })).toMatchObject({ body: { code: status.FAILED_PRECONDITION } })
    expect(await rest(id, {}, stranger.token)).toMatchObject({ status: 404 })
    expect(await rest('missing.aaaaa')).toMatchObject({ status: 404 })
    const reader = await api.newUser('aaaaa', 'read')
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'write')",
      [id, reader.id],
    )
    expect(await rest(id, {}, reader.token)).toMatchObject({ status: 403 })
  })
})

describe('UpdateNamespaceTags', () => {
  const rest = (namespace: string, body: object, token = owner.token) =>
    api.rest(token, 'POST', `/cloud/namespaces/${namespace}/update-tags`, body)

  test('sets, replaces and removes at once, and leaves version and state as they are', async () => {
    const id = await created('tags', {}, { team: 'a', stage: 'test' })
    const body = { tagsToUpsert: { team: 'b', cost: 'x' }, tagsToRemove: ['stage', 'absent'] }
    expect(await rest(id, body)).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
    const after = await read(id)
    expect(after).toMatchObject({ resourceVersion: '1', state: 'RESOURCE_STATE_ACTIVE' })
    expect(after.tags).toEqual({ team: 'b', cost: 'x' })
    expect(await rest(id, { tagsToRemove: ['absent'] })).toMatchObject({ status: 200 })
  })

  test('over gRPC too', async () => {
    const id = await created('tags-grpc')
    await api.grpc(owner.token, 'UpdateNamespaceTags', { namespace: id, tagsToUpsert: { a: 'b' } })
    expect((await read(id)).tags).toEqual({ a: 'b' })
    await expect(api.grpc(owner.token, 'UpdateNamespaceTags', { namespace: id })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    })
  })

  test.each([
    ['without anything', {}, 'must be given'],
    ['without effect', { tagsToUpsert: { team: 'a' } }, 'nothing to change'],
    ['with a bad key', { tagsToUpsert: { Team: 'a' } }, 'must have 1 to 63 characters'],
    ['with a bad value', { tagsToUpsert: { team: 'a b' } }, 'must have 1 to 63 characters'],
    [
      'beyond ten',
      { tagsToUpsert: Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`t${n}`, 'x'])) },
      'at most 10 tags',
    ],
    ['of one to set and to remove', { tagsToUpsert: { team: 'b' }, tagsToRemove: ['team'] }, 'in tags_to_upsert too'],
  ])('is refused %s', async (what, body, message) => {
    const id = await created(`bad-tags-${what.length}-${message.length}`, {}, { team: 'a' })
    const refused = await rest(id, body)
    expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(refused.body.message).toContain(message)
  })

  test('twenty changes of one tag each, all at once, leave ten refused and none lost', async () => {
    const id = await created('tags-race')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => rest(id, { tagsToUpsert: { [`t${n}`]: 'x' } })),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(10)
    expect(Object.keys((await read(id)).tags)).toHaveLength(10)
  })

  test('is for admins and owners, and finds nothing of another tenant', async () => {
    const id = await created('tags-guarded')
    const body = { tagsToUpsert: { a: 'b' } }
    expect(await rest(id, body, stranger.token)).toMatchObject({ status: 404 })
    expect(await rest('missing.aaaaa', body)).toMatchObject({ status: 404 })
    const developer = await api.newUser('aaaaa', 'developer')
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'admin')",
      [id, developer.id],
    )
    expect(await rest(id, body, developer.token)).toMatchObject({ status: 403 })
    const admin = await api.newUser('aaaaa', 'admin')
    expect(await rest(id, body, admin.token)).toMatchObject({ status: 200 })
  })
})

describe('capacity', () => {
  const info = (id: string, token = owner.token) => api.rest(token, 'GET', `/cloud/namespaces/${id}/capacity-info`)
  const provision = async (id: string, value: number) => {
    const { spec, resourceVersion } = await read(id)
    const next = { ...spec, capacitySpec: { provisioned: { value } } }
    return api.rest(owner.token, 'POST', `/cloud/namespaces/${id}`, { spec: next, resourceVersion })
  }

  test('of a namespace that nobody set one for: on demand, with what can be had', async () => {
    const id = await created('capacity')
    expect((await info(id)).body.capacityInfo).toEqual({
      namespace: id,
      currentCapacity: { onDemand: {} },
      modeOptions: {
        provisioned: { validTruValues: [2, 3, 4, 6, 8, 10, 12], maxAvailableTruValue: 12 },
        onDemand: { apsLimit: 500 },
      },
    })
    const { capacityInfo } = await api.grpc(owner.token, 'GetNamespaceCapacityInfo', { namespace: id })
    expect(capacityInfo?.currentCapacity?.onDemand).not.toBeNull()
    // Nobody counts yet: that is not the same as zero.
    expect(capacityInfo?.stats).toBeNull()
  })

  test('that is provisioned is IN_PROGRESS with what there was, until it acts', async () => {
    const id = await created('provisioned')
    const answer = await provision(id, 2)
    expect(answer.status).toBe(200)
    const latestRequest = {
      state: 'STATE_CAPACITY_REQUEST_IN_PROGRESS',
      startTime: expect.any(String),
      asyncOperationId: answer.body.asyncOperation.id,
      spec: { provisioned: { value: 2 } },
    }
    expect(await read(id)).toMatchObject({
      limits: { actionsPerSecondLimit: 500 },
      capacity: { onDemand: {}, latestRequest },
      spec: { capacitySpec: { provisioned: { value: 2 } } },
    })
    expect((await info(id)).body.capacityInfo.currentCapacity).toMatchObject({ onDemand: {}, latestRequest })
    // What the provisioner records: test/faults/steps.test.ts.
    await api.admin.query(
      `update namespaces set capacity_status = capacity_status || '{"current": {"mode": "provisioned", "units": 2}}'
         || jsonb_build_object('request', capacity_status->'request' ||
              '{"outcome": "completed", "endedAt": "2026-01-02T03:04:05Z"}')
       where id = $1`,
      [id],
    )
    await settle(id)
    const capacity = {
      provisioned: { currentValue: 2 },
      latestRequest: { ...latestRequest, state: 'STATE_CAPACITY_REQUEST_COMPLETED', endTime: '2026-01-02T03:04:05Z' },
    }
    expect(await read(id)).toMatchObject({ limits: { actionsPerSecondLimit: 1_000 }, capacity })
    expect((await info(id)).body.capacityInfo.currentCapacity).toEqual(capacity)
  })

  test.each([0, 1, 5, 7, 2.5, 13, -2])('refuses %s units', async (value) => {
    const id = await created(`units-${String(value).replace(/\W/g, 'x')}`)
    const refused = await provision(id, value)
    expect(refused).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(refused.body.message).toContain('spec.capacity_spec.provisioned.value')
  })

  test('of another tenant is not there', async () => {
    const id = await created('capacity-guarded')
    expect(await info(id, stranger.token)).toMatchObject({ status: 404 })
    expect(await info('missing.aaaaa')).toMatchObject({ status: 404 })
    await expect(api.grpc(stranger.token, 'GetNamespaceCapacityInfo', { namespace: id })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    })
  })
})
