import { status } from '@grpc/grpc-js'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newSigningKey } from '#libs/pki'
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

const inAnHour = () => new Date(Date.now() + 3_600_000)
const whoAmI = (token: string) => api.rest(token, 'GET', '/cloud/current-identity')

function keySpec(ownerId: string, more: object = {}) {
  const expiryTime = inAnHour().toISOString()
  return { ownerId, ownerType: 'OWNER_TYPE_USER', displayName: 'a key', expiryTime, ...more }
}

async function newServiceAccount(spec: object, token = owner.token): Promise<string> {
  const answer = await api.rest(token, 'POST', '/cloud/service-accounts', { spec })
  expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
  return answer.body.serviceAccountId
}

async function newNamespace(name: string): Promise<string> {
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const answer = await api.rest(owner.token, 'POST', '/cloud/namespaces', { spec })
  expect(answer.status).toBe(200)
  return answer.body.namespace
}

const account = (role: string) => ({ accountAccess: { role } })

describe('authentication', () => {
  test('says what is wrong in the words of Temporal Cloud, on both transports', async () => {
    expect(await whoAmI('')).toMatchObject({ status: 401, body: { code: 16, message: 'Jwt is missing' } })
    expect(await whoAmI('nonsense')).toMatchObject({ status: 401, body: { message: 'Jwt verification fails' } })
    await expect(api.grpc('', 'GetCurrentIdentity', {})).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
      details: 'Jwt is missing',
    })
  })

  test('believes no other key, issuer, audience, algorithm or owner', async () => {
    const claims = { iss: 'aqueduct', aud: 'aqueduct', sub: owner.id, jti: owner.keyId, account: 'aaaaa' }
    const { rows } = await api.admin.query("select kid from signing_keys where purpose = 'api_key'")
    const kid: string = rows[0].kid
    const forger = await newSigningKey()
    const forged = (header: { alg: string; kid: string }, more: object = {}) =>
      new SignJWT({ ...claims, ...more }).setProtectedHeader(header).setExpirationTime('1h')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const tokens = [
      await forged({ alg: 'ES256', kid }).sign(forger.privateJwk),
      await forged({ alg: 'ES256', kid: forger.kid }).sign(forger.privateJwk),
      await forged({ alg: 'HS256', kid }).sign(new TextEncoder().encode('secret')),
      `${part({ alg: 'none', kid })}.${part({ ...claims, exp: 4_000_000_000 })}.`,
      `${owner.token.slice(0, -4)}AAAA`,
      owner.token.split('.').slice(0, 2).join('.'),
    ]
    for (const token of tokens) {
      expect(await whoAmI(token)).toMatchObject({ status: 401, body: { message: 'Jwt verification fails' } })
    }
    expect((await whoAmI(owner.token)).status).toBe(200)
  })

  test('expires, also out of the memory of verified tokens', async () => {
    const shortly = await api.newUser('aaaaa', 'read')
    expect((await whoAmI(shortly.token)).status).toBe(200)
    api.clock.aheadMs = 2 * 3_600_000
    try {
      expect(await whoAmI(shortly.token)).toMatchObject({ status: 401, body: { message: 'Jwt is expired' } })
      const fresh = await api.newUser('aaaaa', 'read')
      expect(await whoAmI(fresh.token)).toMatchObject({ status: 401, body: { message: 'Jwt is expired' } })
    } finally {
      api.clock.aheadMs = 0
    }
  })

  test('a changed role and a revoked key act with the next call', async () => {
    const person = await api.newUser('aaaaa', 'admin')
    expect((await api.rest(person.token, 'GET', '/cloud/service-accounts')).status).toBe(200)
    await api.admin.query("update users set account_role = 'metrics_read' where id = $1", [person.id])
    expect((await api.rest(person.token, 'GET', '/cloud/service-accounts')).body.serviceAccount ?? []).toEqual([])
    expect((await whoAmI(person.token)).body.user.spec.access.accountAccess.role).toBe('ROLE_METRICS_READ')
    await api.admin.query('update api_keys set disabled = true where id = $1', [person.keyId])
    expect((await whoAmI(person.token)).status).toBe(401)
    await api.admin.query('update api_keys set disabled = false, deleted_at = now() where id = $1', [person.keyId])
    expect((await whoAmI(person.token)).status).toBe(401)
  })

  test('callers at the same time each get their own answer', async () => {
    const people: Principal[] = []
    for (const role of ['admin', 'read', 'developer']) people.push(await api.newUser('aaaaa', role))
    const calls = Array.from({ length: 60 }, (_, index) => people[index % 3] ?? owner)
    const answers = await Promise.all(calls.map((person) => whoAmI(person.token)))
    expect(answers.map((answer) => answer.body.user.id)).toEqual(calls.map((person) => person.id))
  })

  test('a suspended tenant is told so, and is let in again', async () => {
    const tenant = await api.newTenant('ccccc')
    await api.admin.query("update tenants set state = 'suspended', state_reason = 'unpaid' where id = 'ccccc'")
    expect(await whoAmI(tenant.token)).toMatchObject({
      status: 403,
      body: { code: status.PERMISSION_DENIED, message: 'account "ccccc" is suspended: unpaid' },
    })
    await api.admin.query("update tenants set state = 'active' where id = 'ccccc'")
    expect((await whoAmI(tenant.token)).status).toBe(200)
  })
})

describe('reading', () => {
  test('GetCurrentIdentity shows the user and the key', async () => {
    const { body } = await whoAmI(owner.token)
    expect(body.user).toMatchObject({
      id: owner.id,
      state: 'RESOURCE_STATE_ACTIVE',
      spec: { access: { accountAccess: { role: 'ROLE_OWNER', roleDeprecated: 'owner' } } },
    })
    expect(body.principalApiKey).toMatchObject({
      id: owner.keyId,
      spec: { ownerId: owner.id, ownerType: 'OWNER_TYPE_USER', ownerTypeDeprecated: 'user' },
    })
    expect(body).not.toHaveProperty('serviceAccount')
  })

  test('GetRegions, GetRegion and GetAccount', async () => {
    const { body } = await api.rest(owner.token, 'GET', '/cloud/regions')
    const virginia = {
      id: 'aws-us-east-1',
      cloudProvider: 'CLOUD_PROVIDER_AWS',
      cloudProviderDeprecated: 'aws',
      cloudProviderRegion: 'us-east-1',
      location: 'N. Virginia',
    }
    expect(body.regions).toEqual([virginia, expect.objectContaining({ cloudProvider: 'CLOUD_PROVIDER_GCP' })])
    expect((await api.rest(owner.token, 'GET', '/cloud/regions/aws-us-east-1')).body.region).toEqual(virginia)
    expect((await api.rest(owner.token, 'GET', '/cloud/regions/aws-mars-1')).status).toBe(404)
    expect((await api.rest(owner.token, 'GET', '/cloud/account')).body.account).toMatchObject({
      id: 'aaaaa',
      state: 'RESOURCE_STATE_ACTIVE',
    })
  })

  test('what has no handler is UNIMPLEMENTED', async () => {
    expect((await api.rest(owner.token, 'GET', '/cloud/users')).status).toBe(501)
  })
})

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
    expect(refused?.body.message).toContain('10 is the limit')
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

describe('service accounts', () => {
  test('of the whole account: created, read, changed, deleted with their keys', async () => {
    const namespace = await newNamespace('for-robots')
    const access = {
      accountAccess: { role: 'ROLE_DEVELOPER' },
      namespaceAccesses: { [namespace]: { permission: 'PERMISSION_WRITE' } },
    }
    const id = await newServiceAccount({ name: 'robot', description: 'builds', access })
    const url = `/cloud/service-accounts/${id}`
    const { body } = await api.rest(owner.token, 'GET', url)
    expect(body.serviceAccount).toMatchObject({
      id,
      resourceVersion: '1',
      state: 'RESOURCE_STATE_ACTIVE',
      spec: {
        name: 'robot',
        access: {
          accountAccess: { role: 'ROLE_DEVELOPER', roleDeprecated: 'developer' },
          namespaceAccesses: { [namespace]: { permission: 'PERMISSION_WRITE', permissionDeprecated: 'write' } },
        },
      },
    })
    expect(body.serviceAccount.spec).not.toHaveProperty('namespaceScopedAccess')

    const spec = keySpec(id, { ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT' })
    const key = await api.rest(owner.token, 'POST', '/cloud/api-keys', { spec })
    expect(key.status).toBe(200)
    expect((await whoAmI(key.body.token)).body.serviceAccount).toEqual(body.serviceAccount)

    const update = (change: object, resourceVersion = '1', token = owner.token) =>
      api.rest(token, 'POST', url, { spec: { ...body.serviceAccount.spec, ...change }, resourceVersion })
    expect((await update({})).body.message).toContain('nothing to change')
    expect((await update({ name: 'robot2' }, '5')).body.code).toBe(status.FAILED_PRECONDITION)
    expect((await update({ name: 'robot2' }, '')).body.code).toBe(status.INVALID_ARGUMENT)
    expect((await update({ name: 'robot2' }, '1', stranger.token)).status).toBe(404)
    expect((await update({ access: { accountAccess: { roleDeprecated: 'read' } } })).status).toBe(200)
    const me = (await whoAmI(key.body.token)).body.serviceAccount.spec.access
    expect(me).toEqual({ accountAccess: { role: 'ROLE_READ', roleDeprecated: 'read' } })

    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=1`)).body.code).toBe(9)
    expect((await api.rest(owner.token, 'DELETE', `${url}?resourceVersion=2`)).status).toBe(200)
    expect((await api.rest(owner.token, 'GET', url)).status).toBe(404)
    expect((await whoAmI(key.body.token)).status).toBe(401)
    // Its name is free again.
    await newServiceAccount({ name: 'robot', access: account('ROLE_READ') })
  })

  test('of one namespace: for whoever administers that namespace, and nothing else', async () => {
    const namespace = await newNamespace('scoped')
    const admin = await api.newUser('aaaaa', 'read')
    await api.admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ('aaaaa', $1, $2, 'admin')",
      [namespace, admin.id],
    )
    const scoped = (permission: string, id = namespace) => ({
      name: `scoped-${permission}`.toLowerCase().replaceAll('_', '-'),
      namespaceScopedAccess: { namespace: id, access: { permission } },
    })
    const id = await newServiceAccount(scoped('PERMISSION_READ'), admin.token)
    const url = `/cloud/service-accounts/${id}`
    const { body } = await api.rest(admin.token, 'GET', url)
    expect(body.serviceAccount.spec).toMatchObject(scoped('PERMISSION_READ'))
    expect(body.serviceAccount.spec).not.toHaveProperty('access')
    const change = { ...scoped('PERMISSION_WRITE'), name: 'renamed' }
    expect((await api.rest(admin.token, 'POST', url, { spec: change, resourceVersion: '1' })).status).toBe(200)
    const toAccount = { name: 'renamed', access: account('ROLE_READ') }
    expect((await api.rest(owner.token, 'POST', url, { spec: toAccount, resourceVersion: '2' })).body.code).toBe(3)

    const refused = (spec: object) => api.rest(admin.token, 'POST', '/cloud/service-accounts', { spec })
    expect((await refused({ name: 'all', access: account('ROLE_READ') })).body.code).toBe(status.PERMISSION_DENIED)
    expect((await refused(scoped('PERMISSION_READ', 'scoped.bbbbb'))).status).toBe(404)
    const missing = { spec: scoped('PERMISSION_READ', 'missing.aaaaa') }
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', missing)).status).toBe(404)
    const { rows } = await api.admin.query(
      "select id from service_accounts where scoped_namespace_id = 'missing.aaaaa'",
    )
    expect(rows).toEqual([])
  })

  test('only an owner makes owners', async () => {
    const admin = await api.newUser('aaaaa', 'admin')
    const spec = { name: 'mighty', access: account('ROLE_OWNER') }
    const create = (token: string) => api.rest(token, 'POST', '/cloud/service-accounts', { spec })
    expect((await create(admin.token)).body.code).toBe(status.PERMISSION_DENIED)
    const id = (await create(owner.token)).body.serviceAccountId
    const url = `/cloud/service-accounts/${id}`
    const lowered = { spec: { name: 'mighty', access: account('ROLE_READ') }, resourceVersion: '1' }
    expect((await api.rest(admin.token, 'POST', url, lowered)).status).toBe(404)
    const key = keySpec(id, { ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT' })
    expect((await api.rest(admin.token, 'POST', '/cloud/api-keys', { spec: key })).status).toBe(404)
    const plain = await newServiceAccount({ name: 'plain', access: account('ROLE_READ') })
    const raised = { spec: { name: 'plain', access: account('ROLE_OWNER') }, resourceVersion: '1' }
    const answer = await api.rest(admin.token, 'POST', `/cloud/service-accounts/${plain}`, raised)
    expect(answer.body.code).toBe(status.PERMISSION_DENIED)
  })

  test.each([
    ['no access', {}, 'spec.access'],
    ['no role', { access: {} }, 'spec.access.account_access.role'],
    [
      'grants of an admin',
      { access: { ...account('ROLE_ADMIN'), namespaceAccesses: { 'x.aaaaa': { permission: 1 } } } },
      'spec.access.namespace_accesses',
    ],
    [
      'custom roles',
      { access: { accountAccess: { role: 'ROLE_READ', customRoles: ['x'] } } },
      'spec.access.account_access.custom_roles',
    ],
    [
      'no permission',
      { access: { ...account('ROLE_READ'), namespaceAccesses: { 'x.aaaaa': {} } } },
      'spec.access.namespace_accesses',
    ],
  ])('refuses %s', async (_what, more, field) => {
    const answer = await api.rest(owner.token, 'POST', '/cloud/service-accounts', { spec: { name: 'bad', ...more } })
    expect(answer).toMatchObject({ status: 400, body: { code: status.INVALID_ARGUMENT } })
    expect(answer.body.details[0].fieldViolations[0].field).toBe(field)
  })

  test('are listed in their field `service_account`, by tenant', async () => {
    const listed = await api.grpc(owner.token, 'GetServiceAccounts', { pageSize: 2 })
    expect(listed.serviceAccount).toHaveLength(2)
    expect(listed.nextPageToken).not.toBe('')
    const foreign = api.grpc(stranger.token, 'GetServiceAccounts', { pageToken: listed.nextPageToken ?? '' })
    await expect(foreign).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
    expect((await api.grpc(stranger.token, 'GetServiceAccounts', {})).serviceAccount).toEqual([])
    const taken = { spec: { name: 'plain', access: account('ROLE_READ') } }
    expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', taken)).body.code).toBe(
      status.ALREADY_EXISTS,
    )
  })
})
