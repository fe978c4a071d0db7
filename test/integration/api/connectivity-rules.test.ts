import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

const url = '/cloud/connectivity-rules'
let api: ApiUnderTest
let owner: Principal
let stranger: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  stranger = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

function privateSpec(connectionId: string, more: object = {}) {
  return { privateRule: { connectionId, region: 'aws-us-east-1', ...more } }
}

const create = (spec: object, token = owner.token) => api.rest(token, 'POST', url, { spec })
const read = (id: string, token = owner.token) => api.rest(token, 'GET', `${url}/${id}`)
const remove = (id: string, version = '1', token = owner.token) =>
  api.rest(token, 'DELETE', `${url}/${id}?resourceVersion=${version}`)

async function newRule(spec: object, token = owner.token): Promise<string> {
  const answer = await create(spec, token)
  expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
  return answer.body.connectivityRuleId
}

function namespaceSpec(name: string, connectivityRuleIds?: readonly string[]) {
  const ids = connectivityRuleIds === undefined ? {} : { connectivityRuleIds }
  return { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true }, ...ids }
}

const createNamespace = (spec: object, token = owner.token) => api.rest(token, 'POST', '/cloud/namespaces', { spec })

async function namespaceOf(id: string) {
  return (await api.rest(owner.token, 'GET', `/cloud/namespaces/${id}`)).body.namespace
}

async function attach(name: string, ids: readonly string[]) {
  const id = `${name}.aaaaa`
  const { resourceVersion } = await namespaceOf(id)
  const spec = namespaceSpec(name, ids)
  return api.rest(owner.token, 'POST', `/cloud/namespaces/${id}`, { spec, resourceVersion })
}

async function usersOf(tenant: string, role: string): Promise<Principal> {
  return api.newUser(tenant, role)
}

describe('rules', () => {
  test('of each kind: created, read, deleted', async () => {
    const cases = [
      [{ publicRule: { enableStableIps: true } }, { publicRule: { enableStableIps: true } }],
      [privateSpec('vpce-life'), privateSpec('vpce-life')],
      [
        { privateRule: { connectionId: '18446744073709551615', region: 'gcp-europe-west1', gcpProjectId: 'p-1' } },
        { privateRule: { connectionId: '18446744073709551615', region: 'gcp-europe-west1', gcpProjectId: 'p-1' } },
      ],
    ]
    for (const [given = {}, shown] of cases) {
      const id = await newRule(given)
      expect(id).toMatch(/^rule-/)
      const { body } = await read(id)
      expect(body.connectivityRule).toMatchObject({
        id,
        spec: shown,
        resourceVersion: '1',
        state: 'RESOURCE_STATE_ACTIVE',
      })
      expect(body.connectivityRule.createdTime).toBeDefined()
      const overGrpc = await api.grpc(owner.token, 'GetConnectivityRule', { connectivityRuleId: id })
      expect(overGrpc.connectivityRule?.id).toBe(id)
      expect(await remove(id)).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
      expect((await read(id)).status).toBe(404)
      expect((await remove(id)).status).toBe(404)
    }
  })

  test('one public rule an account, and one rule a connection', async () => {
    const first = await newRule({ publicRule: {} })
    expect((await create({ publicRule: { enableStableIps: true } })).body.code).toBe(status.ALREADY_EXISTS)
    const own = await newRule(privateSpec('vpce-once'))
    expect((await create(privateSpec('vpce-once'))).body.code).toBe(status.ALREADY_EXISTS)
    // Another account is another matter.
    const theirs = await newRule({ publicRule: {} }, stranger.token)
    await newRule(privateSpec('vpce-once'), stranger.token)
    for (const id of [first, own]) expect((await remove(id)).status).toBe(200)
    expect((await remove(theirs, '1', stranger.token)).status).toBe(200)
    await remove(await newRule({ publicRule: {} }))
  })

  test('fifty an account', async () => {
    const tenant = await api.newTenant('ccccc')
    await api.admin.query(`insert into connectivity_rules (id, tenant_id, kind, connection_id, region)
      select 'rule-' || lpad(n::text, 2, '0'), 'ccccc', 'private', 'vpce-' || n, 'aws-us-east-1' from generate_series(1, 50) n`)
    const refused = await create(privateSpec('vpce-51'), tenant.token)
    expect(refused.body).toMatchObject({ code: status.FAILED_PRECONDITION })
    expect(refused.body.message).toContain('50')
    expect((await remove('rule-07', '1', tenant.token)).status).toBe(200)
    await newRule(privateSpec('vpce-51'), tenant.token)
  })

  test.each([
    ['neither kind', {}, 'spec'],
    ['both kinds', { publicRule: {}, ...privateSpec('vpce-1') }, undefined],
    ['no connection', privateSpec(''), 'spec.private_rule.connection_id'],
    ['a connection with a blank', privateSpec('vpce 1'), 'spec.private_rule.connection_id'],
    ['a connection of 256 characters', privateSpec('v'.repeat(256)), 'spec.private_rule.connection_id'],
    ['no region', privateSpec('vpce-1', { region: '' }), 'spec.private_rule.region'],
    ['an unknown region', privateSpec('vpce-1', { region: 'aws-moon-1' }), 'spec.private_rule.region'],
    ['a project outside GCP', privateSpec('vpce-1', { gcpProjectId: 'p' }), 'spec.private_rule.gcp_project_id'],
    ['no project in GCP', privateSpec('1', { region: 'gcp-europe-west1' }), 'spec.private_rule.gcp_project_id'],
    [
      'a connection that is no number, in GCP',
      privateSpec('vpce-1', { region: 'gcp-europe-west1', gcpProjectId: 'p' }),
      'spec.private_rule.connection_id',
    ],
    [
      'a number of more than 64 bits, in GCP',
      privateSpec('18446744073709551616', { region: 'gcp-europe-west1', gcpProjectId: 'p' }),
      'spec.private_rule.connection_id',
    ],
  ])('refuses %s', async (_what, spec, field) => {
    const answer = await create(spec)
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    if (field !== undefined) expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('the same request twice under one operation id makes one rule', async () => {
    const body = { spec: privateSpec('vpce-twice'), asyncOperationId: 'rule-op-1' }
    const first = await api.rest(owner.token, 'POST', url, body)
    const second = await api.rest(owner.token, 'POST', url, body)
    expect(second.status).toBe(200)
    expect(second.body).toEqual(first.body)
    const other = { ...body, spec: privateSpec('vpce-other') }
    expect((await api.rest(owner.token, 'POST', url, other)).status).not.toBe(200)
    const id = first.body.connectivityRuleId
    const gone = `${url}/${id}?resourceVersion=1&asyncOperationId=rule-op-2`
    expect((await api.rest(owner.token, 'DELETE', gone)).status).toBe(200)
    expect((await api.rest(owner.token, 'DELETE', gone)).status).toBe(200)
  })

  test('are deleted at their version alone', async () => {
    const id = await newRule(privateSpec('vpce-version'))
    expect((await remove(id, '2')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await api.rest(owner.token, 'DELETE', `${url}/${id}`)).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await remove(id)).status).toBe(200)
  })

  test('are the tenant’s own, and administered by its administrators', async () => {
    const id = await newRule(privateSpec('vpce-own'))
    const nobody = await read('rule-nobody-has-this', stranger.token)
    const foreign = await read(id, stranger.token)
    expect(foreign.status).toBe(404)
    expect(foreign.body.message).toBe(nobody.body.message.replace('rule-nobody-has-this', id))
    expect((await remove(id, '1', stranger.token)).status).toBe(404)
    for (const role of ['developer', 'read', 'none']) {
      const weak = await usersOf('aaaaa', role)
      const seen = role === 'developer'
      expect((await create(privateSpec('vpce-weak'), weak.token)).status).toBe(403)
      expect((await remove(id, '1', weak.token)).status).toBe(seen ? 403 : 404)
      expect((await read(id, weak.token)).status).toBe(seen ? 200 : 404)
      expect((await api.rest(weak.token, 'GET', url)).status).toBe(seen ? 200 : 403)
    }
    expect((await read(id, '')).status).toBe(401)
    expect((await create(privateSpec('vpce-weak'), '')).status).toBe(401)
    expect((await remove(id)).status).toBe(200)
  })

  test('are listed by id, page by page, by tenant', async () => {
    const tenant = await api.newTenant('ddddd')
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) ids.push(await newRule(privateSpec(`vpce-${name}`), tenant.token))
    const first = await api.grpc(tenant.token, 'GetConnectivityRules', { pageSize: 2 })
    const pageToken = first.nextPageToken ?? ''
    const second = await api.grpc(tenant.token, 'GetConnectivityRules', { pageSize: 2, pageToken })
    expect([...(first.connectivityRules ?? []), ...(second.connectivityRules ?? [])].map(({ id }) => id)).toEqual(
      ids.toSorted(),
    )
    expect(second.nextPageToken).toBe('')
    const foreign = api.grpc(stranger.token, 'GetConnectivityRules', { pageToken })
    await expect(foreign).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    expect((await api.rest(tenant.token, 'GET', `${url}?pageSize=1`)).body.connectivityRules).toHaveLength(1)
  })
})

describe('rules of namespaces', () => {
  let open: string
  let own: string
  let other: string

  /** Nothing reconciles here: what is asked for stays in flight, and an account may have so many. */
  beforeEach(() => api.admin.query("update operations set state = 'fulfilled' where state = 'pending'"))

  beforeAll(async () => {
    open = await newRule({ publicRule: {} })
    own = await newRule(privateSpec('vpce-1'))
    other = await newRule(privateSpec('vpce-2'))
  })

  test('show in its answers, and by the filter of the list', async () => {
    expect((await createNamespace(namespaceSpec('reached', [own, open, own]))).status).toBe(200)
    const shown = await namespaceOf('reached.aaaaa')
    expect(shown.spec.connectivityRuleIds).toEqual([own, open])
    expect(shown.connectivityRules.map(({ id }: { id: string }) => id)).toEqual([own, open])
    expect(shown.connectivityRules[0].spec).toEqual(privateSpec('vpce-1'))
    expect(shown.privateConnectivities).toEqual([{ region: 'aws-us-east-1' }])
    expect(shown.endpoints.grpcAddress).toBe('reached.aaaaa.example.test:7233')
    const { body } = await api.rest(owner.token, 'GET', '/cloud/namespaces?name=reached')
    expect(body.namespaces[0].connectivityRules).toHaveLength(2)
    const listed = await api.rest(owner.token, 'GET', `${url}?namespace=reached.aaaaa`)
    expect(listed.body.connectivityRules.map(({ id }: { id: string }) => id)).toEqual([own, open].toSorted())
    for (const namespace of ['missing.aaaaa', 'reached.bbbbb']) {
      expect((await api.rest(owner.token, 'GET', `${url}?namespace=${namespace}`)).status).toBe(404)
    }
    // A developer sees rules, but not which ones a namespace has that is not theirs to see.
    const developer = await usersOf('aaaaa', 'developer')
    expect((await api.rest(developer.token, 'GET', `${url}?namespace=reached.aaaaa`)).status).toBe(404)
  })

  test('are none for a namespace that names none', async () => {
    expect((await createNamespace(namespaceSpec('plain'))).status).toBe(200)
    const shown = await namespaceOf('plain.aaaaa')
    expect(shown).not.toHaveProperty('connectivityRules')
    expect(shown.spec).not.toHaveProperty('connectivityRuleIds')
    expect((await api.rest(owner.token, 'GET', `${url}?namespace=plain.aaaaa`)).body).toEqual({})
  })

  test('change by an update, in whatever order, and to none', async () => {
    await createNamespace(namespaceSpec('moving', [own]))
    const changed = await attach('moving', [other, own])
    expect(changed).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_PENDING' } } })
    for (const same of [
      [other, own],
      [own, other],
      [own, other, own],
    ]) {
      const { body } = await attach('moving', same)
      expect(body).toMatchObject({ code: status.INVALID_ARGUMENT })
      expect(body.message).toContain('nothing to change')
    }
    expect((await attach('moving', [])).status).toBe(200)
    expect(await namespaceOf('moving.aaaaa')).not.toHaveProperty('connectivityRules')
    expect((await attach('moving', [])).body.message).toContain('nothing to change')
  })

  test('are rules of this tenant that exist: nobody attaches another’s', async () => {
    const theirs = await newRule(privateSpec('vpce-theirs'), stranger.token)
    const gone = await newRule(privateSpec('vpce-gone'))
    await remove(gone)
    await createNamespace(namespaceSpec('strict'))
    for (const id of [theirs, gone, 'rule-invented', '', "x' or true --"]) {
      const refused = [await createNamespace(namespaceSpec('refused', [own, id])), await attach('strict', [own, id])]
      for (const { body } of refused) {
        expect(body).toMatchObject({ code: status.INVALID_ARGUMENT })
        expect(body.details[0].fieldViolations).toEqual([
          {
            field: 'spec.connectivity_rule_ids',
            description: `there is no connectivity rule ${JSON.stringify(id)}`,
          },
        ])
      }
    }
    expect((await api.rest(owner.token, 'GET', '/cloud/namespaces/refused.aaaaa')).status).toBe(404)
    // Nor is a foreign namespace told of, although it names the rule of this name.
    await api.admin.query(
      `update namespaces set spec = jsonb_set(spec, '{connectivityRuleIds}', to_jsonb(array[$1::text])) where id = 'strict.aaaaa'`,
      [theirs],
    )
    expect(await namespaceOf('strict.aaaaa')).not.toHaveProperty('connectivityRules')
    expect((await remove(theirs, '1', stranger.token)).status).toBe(200)
  })

  test('five private ones at most, and the public one besides', async () => {
    const many: string[] = []
    for (let index = 0; index < 6; index++) many.push(await newRule(privateSpec(`vpce-many-${index}`)))
    const refused = await createNamespace(namespaceSpec('many', many))
    expect(refused.body.details[0].fieldViolations[0]).toMatchObject({ field: 'spec.connectivity_rule_ids' })
    expect((await createNamespace(namespaceSpec('many', [...many.slice(0, 5), open]))).status).toBe(200)
    expect((await attach('many', many)).body.code).toBe(status.INVALID_ARGUMENT)
  })

  test('cannot be deleted, and who uses them is named', async () => {
    const used = await newRule(privateSpec('vpce-used'))
    await createNamespace(namespaceSpec('user-one', [used]))
    await createNamespace(namespaceSpec('user-two', [own, used]))
    const refused = await remove(used)
    expect(refused.body).toMatchObject({ code: status.FAILED_PRECONDITION })
    expect(refused.body.message).toContain('user-one.aaaaa, user-two.aaaaa')
    expect((await read(used)).status).toBe(200)
    await attach('user-two', [own])
    await attach('user-one', [])
    expect((await remove(used)).status).toBe(200)
  })

  test('deleted and attached at once: one of the two is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const rule = await newRule(privateSpec(`vpce-race-${round}`))
      const [made, removed] = await Promise.all([createNamespace(namespaceSpec(`race-${round}`, [rule])), remove(rule)])
      expect([made.status === 200, removed.status === 200].filter(Boolean)).toHaveLength(1)
    }
  })
})
