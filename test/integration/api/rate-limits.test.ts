import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '#libs/base'
import { until } from '../../harness/until.ts'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let replica: ApiUnderTest

beforeAll(async () => {
  api = await startApi({ countRequests: true, badCredentialsPerSecond: 5 })
  replica = await startApi({ countRequests: true, replicaOf: api })
})
afterAll(async () => {
  await replica.close()
  await api.close()
})

let tenants = 0
/** One that nobody has called for yet. */
const newTenant = (limits = {}) => api.newTenant(`rates${(tenants += 1)}`, limits)

const whoAmI = (token: string, at = api) => at.rest(token, 'GET', '/cloud/current-identity')

/** As many calls at once; how many were let through, the answers, and the seconds that it took. */
async function flood(calls: readonly (() => Promise<{ readonly status: number }>)[]) {
  const began = performance.now()
  const answers = await Promise.all(calls.map((call) => call()))
  const seconds = (performance.now() - began) / 1000
  return { admitted: answers.filter((answer) => answer.status === 200).length, seconds, answers }
}

const times = (count: number, call: (index: number) => () => Promise<{ readonly status: number }>) =>
  Array.from({ length: count }, (_, index) => call(index))

/** At most a bucketful, what leaked away meanwhile, and what each replica may hold back. */
const atMost = (limit: number, seconds: number, replicas: number) =>
  limit + limit * seconds + replicas * Math.ceil(limit / 16)

describe('calls a second', () => {
  test('a user makes 40, and is told so; over gRPC and REST they are counted together', async () => {
    const { token } = await newTenant()
    const { admitted, seconds, answers } = await flood(
      times(100, (index) => async () => {
        if (index % 2 === 0) return whoAmI(token)
        return api.grpc(token, 'GetCurrentIdentity', {}).then(
          () => ({ status: 200 }),
          (error) => ({ status: error.code === status.RESOURCE_EXHAUSTED ? 429 : error.code }),
        )
      }),
    )
    expect(admitted).toBeGreaterThanOrEqual(40)
    expect(admitted).toBeLessThanOrEqual(atMost(40, seconds, 1))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200, 429]))
    // Nobody else pays for it.
    expect((await whoAmI((await api.newUser('rates1', 'read')).token)).status).toBe(200)
  })

  test('the refusal says which limit, when to come back, and what is left; every answer says what is left', async () => {
    const { id, token } = await newTenant({ userRequestsPerSecond: 2 })
    const first = await whoAmI(token)
    expect(first.headers).toMatchObject({
      'ratelimit-policy': '"user";q=2;w=1, "account";q=160;w=1',
      ratelimit: expect.stringMatching(/^"user";r=1;t=1, "account";r=159;t=1$/),
    })
    const missing = await api.rest(token, 'GET', '/cloud/namespaces/none')
    expect(missing).toMatchObject({ status: 404, headers: { ratelimit: expect.stringContaining('"user";r=0') } })
    const refused = await whoAmI(token)
    expect(refused).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1', ratelimit: expect.stringContaining('"user";r=0;t=1') },
      body: { code: status.RESOURCE_EXHAUSTED, message: expect.stringContaining('one user may make 2 a second') },
    })
    const metadata: string[] = []
    const error = await api
      .grpc(token, 'GetCurrentIdentity', {}, {}, (seen) => metadata.push(String(seen.get('ratelimit-policy')[0])))
      .catch((thrown) => thrown)
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
    expect(error.metadata.get('retry-after')).toEqual(['1'])
    expect(metadata).toEqual(['"user";q=2;w=1, "account";q=160;w=1'])
    await until('the user may call again', async () => (await whoAmI(token)).body.user?.id === id)
  })

  test('a service account makes 80', async () => {
    const owner = await newTenant()
    const spec = { name: 'ci', access: { accountAccess: { role: 'ROLE_READ' } } }
    const { serviceAccountId: ownerId } = (await api.rest(owner.token, 'POST', '/cloud/service-accounts', { spec }))
      .body
    const expiryTime = new Date(Date.now() + 3_600_000).toISOString()
    const { body } = await api.rest(owner.token, 'POST', '/cloud/api-keys', {
      spec: { ownerId, ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT', displayName: 'ci', expiryTime },
    })
    const { admitted, seconds } = await flood(times(150, () => () => whoAmI(body.token)))
    expect(admitted).toBeGreaterThanOrEqual(80)
    expect(admitted).toBeLessThanOrEqual(atMost(80, seconds, 1))
  })

  test('a tenant makes 160 with all its principals, counted over replicas', async () => {
    const owner = await newTenant()
    const { rows } = await api.admin.query('select tenant_id from users where id = $1', [owner.id])
    const users = [owner]
    while (users.length < 6) users.push(await api.newUser(rows[0].tenant_id, 'read'))
    const { admitted, seconds, answers } = await flood(
      times(360, (index) => () => whoAmI(users[index % 6]?.token ?? '', index % 4 < 2 ? api : replica)),
    )
    expect(admitted).toBeGreaterThanOrEqual(150)
    expect(admitted).toBeLessThanOrEqual(atMost(160, seconds, 2))
    const messages = answers.flatMap((answer) => ('body' in answer ? [JSON.stringify(answer.body)] : []))
    expect(messages.join()).toContain('all users and service accounts of the account together may make 160 a second')
  })

  test('one user that floods at two replicas has one limit, and leaves its colleagues theirs', async () => {
    const owner = await newTenant()
    const { rows } = await api.admin.query('select tenant_id from users where id = $1', [owner.id])
    const colleague = await api.newUser(rows[0].tenant_id, 'read')
    const flooding = flood(times(300, (index) => () => whoAmI(owner.token, index % 2 === 0 ? api : replica)))
    const meanwhile = await flood(times(20, () => () => whoAmI(colleague.token)))
    const { admitted, seconds } = await flooding
    expect(meanwhile.admitted).toBe(20)
    expect(admitted).toBeLessThanOrEqual(atMost(40, seconds, 2))
  })

  test('who is over the limit is refused from memory', async () => {
    const { id, token } = await newTenant({ userRequestsPerSecond: 1 })
    expect((await whoAmI(token)).status).toBe(200)
    await whoAmI(token)
    const asked = () =>
      api.admin
        .query('select asked_at from request_buckets where subject = $1', [id])
        .then(({ rows }) => rows[0].asked_at)
    const before = await asked()
    const { admitted } = await flood(times(50, () => () => whoAmI(token)))
    // Held refusals take half a second: at most one more call has become due.
    expect(admitted).toBeLessThanOrEqual(1)
    if (admitted === 0) expect(await asked()).toEqual(before)
  })

  test('what an operator sets holds soon, and its absence again too', async () => {
    const { token } = await newTenant({ userRequestsPerSecond: 1 })
    expect((await flood(times(10, () => () => whoAmI(token)))).admitted).toBeLessThanOrEqual(2)
    await api.admin.query(`update tenants set limits = '{"userRequestsPerSecond": 500}' where id = $1`, [
      `rates${tenants}`,
    ])
    await until('the new limit', async () => (await whoAmI(token)).headers['ratelimit-policy']?.includes('q=500'))
    await until('all pass', async () => (await flood(times(100, () => () => whoAmI(token)))).admitted === 100)
    await api.admin.query(`update tenants set limits = '{}' where id = $1`, [`rates${tenants}`])
    await until('the default', async () => (await whoAmI(token)).headers['ratelimit-policy']?.includes('q=40'))
  })

  test('a revoked key, and a tenant that is not there, are not admitted by having a limit', async () => {
    const { keyId, token } = await newTenant()
    await api.admin.query('update api_keys set deleted_at = now() where id = $1', [keyId])
    expect((await whoAmI(token)).status).toBe(401)
  })

  test('a revoked key takes nothing from the tenant, nor from its owner', async () => {
    const { id, token } = await newTenant()
    const spec = {
      ownerId: id,
      ownerType: 'OWNER_TYPE_USER',
      displayName: 'leaked',
      expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
    }
    const { body: leaked } = await api.rest(token, 'POST', '/cloud/api-keys', { spec })
    await api.admin.query('update api_keys set deleted_at = now() where id = $1', [leaked.keyId])
    expect((await whoAmI(leaked.token)).status).toBe(401)
    const flooded = await flood(times(100, () => () => whoAmI(leaked.token)))
    expect(new Set(flooded.answers.map((answer) => answer.status))).toEqual(new Set([401]))
    expect((await whoAmI(leaked.token)).status).toBe(429)
    expect((await flood(times(30, () => () => whoAmI(token)))).admitted).toBe(30)
    // Enabled again, it is a key like any other.
    await api.admin.query('update api_keys set deleted_at = null where id = $1', [leaked.keyId])
    await until('the address may try again', async () => (await whoAmI(leaked.token)).status === 200)
    expect((await flood(times(5, () => () => whoAmI(leaked.token)))).admitted).toBe(5)
  })

  test('when the count does not answer, each replica counts for itself', async () => {
    const { token } = await newTenant({ userRequestsPerSecond: 20 })
    expect((await whoAmI(token)).status).toBe(200)
    await api.admin.query('alter table request_buckets rename to request_buckets_away')
    try {
      const { admitted, seconds } = await flood(times(100, () => () => whoAmI(token)))
      expect(admitted).toBeGreaterThanOrEqual(15)
      expect(admitted).toBeLessThanOrEqual(atMost(20, seconds, 2))
      const unknown = await newTenant()
      expect((await whoAmI(unknown.token)).status).toBe(200)
    } finally {
      await api.admin.query('alter table request_buckets_away rename to request_buckets')
    }
  })
})

describe('strangers', () => {
  const forged = (principal: Principal) => `${principal.token.slice(0, -6)}AAAAAA`

  test('who guesses is told to wait, over both transports; who has a good token goes on', async () => {
    const known = await newTenant()
    expect((await whoAmI(known.token)).status).toBe(200)
    const answers: Awaited<ReturnType<typeof whoAmI>>[] = []
    while (answers.length < 20) answers.push(await whoAmI(forged(known)))
    const statuses = answers.map((answer) => answer.status)
    expect(statuses.filter((code) => code === 401).length).toBeGreaterThanOrEqual(5)
    expect(statuses).toContain(429)
    const refused = answers.find((answer) => answer.status === 429)
    expect(refused).toMatchObject({
      headers: { 'retry-after': '1' },
      body: { message: expect.stringContaining('from your address') },
    })
    const error = await api.grpc(newId('key'), 'GetCurrentIdentity', {}).catch((thrown) => thrown)
    expect([status.RESOURCE_EXHAUSTED, status.UNAUTHENTICATED]).toContain(error.code)
    expect((await whoAmI(known.token)).status).toBe(200)
    await until('the address may guess again', async () => (await whoAmI('x')).status === 401)
  })
})

test('a tenant whose calls wait for each other leaves connections to the others', async () => {
  const [slow, other] = [await newTenant({ userRequestsPerSecond: 1000, requestsPerSecond: 1000 }), await newTenant()]
  for (const { token } of [slow, other]) {
    await until('the address may come with a new token', async () => (await whoAmI(token)).status === 200)
  }
  await api.admin.query('begin')
  await api.admin.query('lock table service_accounts in share mode')
  // Inserting waits for the lock, and each call holds a connection while it does.
  const spec = { name: 'ci', access: { accountAccess: { role: 'ROLE_READ' } } }
  const stuck = times(30, () => () => api.rest(slow.token, 'POST', '/cloud/service-accounts', { spec })).map((call) =>
    call(),
  )
  try {
    expect((await whoAmI(other.token)).status).toBe(200)
  } finally {
    await api.admin.query('rollback')
  }
  const statuses = (await Promise.all(stuck)).map((answer) => answer.status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(1)
})
