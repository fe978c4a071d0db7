import { status } from '@grpc/grpc-js'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newSigningKey } from '#libs/pki'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
})
afterAll(() => api.close())

const whoAmI = (token: string) => api.rest(token, 'GET', '/cloud/current-identity')

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
    expect((await api.rest(owner.token, 'GET', '/cloud/usage')).status).toBe(501)
  })
})

test('while the database takes no connections, callers are told to try again', async () => {
  const limit = (count: number) =>
    api.admin.query(
      `do $$ begin execute format('alter database %I connection limit ${count}', current_database()); end $$`,
    )
  await limit(0)
  await api.admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'aqueduct_api' and datname = current_database()",
  )
  try {
    const answers = await Promise.all(Array.from({ length: 40 }, () => whoAmI(owner.token)))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([503]))
    expect(answers[0]?.body).toMatchObject({ code: status.UNAVAILABLE })
  } finally {
    await limit(-1)
  }
  // One more connection that was cut may come to light first: whoever tries again gets through.
  await expect.poll(async () => (await whoAmI(owner.token)).status, { interval: 20 }).toBe(200)
})
