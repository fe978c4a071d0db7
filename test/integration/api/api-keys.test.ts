import { status } from '@grpc/grpc-js'
import { decodeJwt } from 'jose'
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

const whoAmI = (token: string) => api.rest(token, 'GET', '/cloud/current-identity')
const inAnHour = () => new Date(Date.now() + 3_600_000)

function keySpec(ownerId: string, more: object = {}) {
  const expiryTime = inAnHour().toISOString()
  return { ownerId, ownerType: 'OWNER_TYPE_USER', displayName: 'a key', expiryTime, ...more }
}

describe('API keys', () => {
  test('the token comes once and works; an equal repeat gets the same key’s again, for ten minutes', async () => {
    const request = { spec: keySpec(owner.id), asyncOperationId: 'key-1' }
    const first = await api.rest(owner.token, 'POST', '/cloud/api-keys', request)
    expect(first).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
    const { keyId, token } = first.body
    expect((await whoAmI(token)).body.principalApiKey.id).toBe(keyId)
    const claims = decodeJwt(token)
    expect(claims).toMatchObject({ iss: 'aqueduct', aud: 'aqueduct', sub: owner.id, jti: keyId, account: 'aaaaa' })
    expect(claims.exp).toBe(Math.floor(Date.parse(request.spec.expiryTime) / 1000))

    const again = await api.rest(owner.token, 'POST', '/cloud/api-keys', request)
    expect(again.body.keyId).toBe(keyId)
    expect(decodeJwt(again.body.token).jti).toBe(keyId)
    api.clock.aheadMs = 11 * 60_000
    try {
      const late = await api.rest(owner.token, 'POST', '/cloud/api-keys', request)
      expect(late.body.keyId).toBe(keyId)
      expect(late.body).not.toHaveProperty('token')
    } finally {
      api.clock.aheadMs = 0
    }
    const { rows } = await api.admin.query('select * from operations where id = $1', ['key-1'])
    expect(JSON.stringify(rows)).not.toContain(token.split('.')[2])
    const { body } = await api.rest(owner.token, 'GET', `/cloud/api-keys/${keyId}`)
    expect(body.apiKey).toMatchObject({
      state: 'RESOURCE_STATE_ACTIVE',
      stateDeprecated: 'active',
      resourceVersion: '1',
    })
    expect(body.apiKey.spec.expiryTime).toBe(`${request.spec.expiryTime.slice(0, 19)}Z`)
    expect(body.apiKey).not.toHaveProperty('lastModifiedTime')
  })

  test.each([
    ['no spec', undefined, 'spec'],
    ['no owner', { ownerId: '' }, 'spec.owner_id'],
    ['no owner type', { ownerType: 'OWNER_TYPE_UNSPECIFIED' }, 'spec.owner_type'],
    ['no name', { displayName: '' }, 'spec.display_name'],
    ['no expiry', { expiryTime: null }, 'spec.expiry_time'],
    ['an expiry that has passed', { expiryTime: '2020-01-01T00:00:00Z' }, 'spec.expiry_time'],
    [
      'an expiry in three years',
      { expiryTime: `${new Date().getUTCFullYear() + 3}-01-01T00:00:00Z` },
      'spec.expiry_time',
    ],
  ])('refuses %s', async (_what, change, field) => {
    const spec = change === undefined ? undefined : keySpec(owner.id, change)
    const answer = await api.rest(owner.token, 'POST', '/cloud/api-keys', { spec })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('nobody makes a key for another person, or for somebody of another tenant', async () => {
    const colleague = await api.newUser('aaaaa', 'read')
    const create = (token: string, ownerId: string) =>
      api.rest(token, 'POST', '/cloud/api-keys', { spec: keySpec(ownerId) })
    expect((await create(owner.token, colleague.id)).body.code).toBe(status.PERMISSION_DENIED)
    expect((await create(owner.token, stranger.id)).body.code).toBe(status.PERMISSION_DENIED)
    expect((await create(colleague.token, colleague.id)).status).toBe(200)
  })

  test('a person has ten keys at most, also when many are asked for at once', async () => {
    const person = await api.newUser('aaaaa', 'read')
    const answers = await Promise.all(
      Array.from({ length: 15 }, () => api.rest(person.token, 'POST', '/cloud/api-keys', { spec: keySpec(person.id) })),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(9)
    const refused = answers.find((answer) => answer.status !== 200)
    expect(refused?.body).toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining('10 is the limit'),
    })
  })

  test('are updated by compare-and-set, in name, description and disabled alone', async () => {
    const person = await api.newUser('aaaaa', 'read')
    const url = `/cloud/api-keys/${person.keyId}`
    const { body } = await api.rest(person.token, 'GET', url)
    const { spec } = body.apiKey
    const update = (change: object, resourceVersion = '1', token = person.token) =>
      api.rest(token, 'POST', url, { spec: { ...spec, ...change }, resourceVersion })
    const same = await update({})
    expect(same).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(same.body.message).toContain('nothing to change')
    expect((await update({ expiryTime: inAnHour().toISOString().replace(/\d\d:/, '00:') })).body.code).toBe(3)
    expect((await update({ ownerId: owner.id })).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ displayName: 'x' }, '7')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ displayName: 'x' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ displayName: 'x' }, '1', stranger.token)).status).toBe(404)
    expect((await update({ displayName: 'x', ownerType: null, ownerTypeDeprecated: 'user' })).status).toBe(200)
    expect((await update({ displayName: 'x', disabled: true }, '2', owner.token)).status).toBe(200)
    expect((await whoAmI(person.token)).status).toBe(401)
    // A disabled key stays active, as clients expect.
    expect((await api.rest(owner.token, 'GET', url)).body.apiKey).toMatchObject({
      state: 'RESOURCE_STATE_ACTIVE',
      resourceVersion: '3',
      spec: { displayName: 'x', disabled: true },
    })
  })

  test('are listed and filtered, page by page; a deleted one is gone', async () => {
    const person = await api.newUser('aaaaa', 'read')
    for (let index = 0; index < 3; index += 1) {
      await api.rest(person.token, 'POST', '/cloud/api-keys', { spec: keySpec(person.id) })
    }
    const list = async (query: string, token = owner.token) =>
      (await api.rest(token, 'GET', `/cloud/api-keys?${query}`)).body
    const mine = (await list(`ownerId=${person.id}`)).apiKeys
    expect(mine).toHaveLength(4)
    const first = await list(`ownerId=${person.id}&ownerType=OWNER_TYPE_USER&pageSize=3`)
    const next = encodeURIComponent(first.nextPageToken)
    const second = await list(`ownerId=${person.id}&ownerType=OWNER_TYPE_USER&pageSize=3&pageToken=${next}`)
    expect([...first.apiKeys, ...second.apiKeys].map((key) => key.id)).toEqual(
      mine.map((key: { id: string }) => key.id),
    )
    expect((await list(`pageToken=${next}`)).message).toContain('page_token')
    expect((await list(`ownerId=${person.id}&ownerTypeDeprecated=service-account`)).apiKeys ?? []).toEqual([])
    expect((await list(`ownerId=${person.id}`, stranger.token)).apiKeys ?? []).toEqual([])

    const url = `/cloud/api-keys/${mine[0].id}`
    expect((await api.rest(stranger.token, 'DELETE', `${url}?resourceVersion=1`)).status).toBe(404)
    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=9`)).body.code).toBe(9)
    expect((await api.rest(owner.token, 'DELETE', url)).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=1`)).status).toBe(200)
    expect((await api.rest(owner.token, 'GET', url)).status).toBe(404)
    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=1`)).status).toBe(404)
  })
})
