import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RpcName } from '#libs/cloud-api'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'
import { MutableTenant, servedMutations, validMutations } from './valid-mutations.ts'

let api: ApiUnderTest
let tenant: MutableTenant
let colleague: Principal
let stranger: MutableTenant

beforeAll(async () => {
  api = await startApi()
  tenant = new MutableTenant(api, 'aaaaa', await api.newTenant('aaaaa'))
  colleague = await api.newUser('aaaaa', 'owner')
  stranger = new MutableTenant(api, 'bbbbb', await api.newTenant('bbbbb'))
})
afterAll(() => api.close())

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => status.OK,
    (error) => error.code,
  )
const count = async (sql: string, ...values: readonly unknown[]) =>
  (await api.admin.query<{ count: number }>(`select count(*) from ${sql}`, [...values])).rows[0]?.count

function valid(rpc: RpcName, of = tenant): Promise<object> {
  const make = validMutations[rpc]
  if (make === undefined) throw new Error(`${rpc} has no row in valid-mutations.ts: add a request that is in order`)
  return make(of)
}

describe.each(servedMutations.map((rpc) => ({ rpc })))('$rpc under an async_operation_id', ({ rpc }) => {
  const asyncOperationId = `twice-${rpc}`

  test('is done once; another request, or another’s, under the same id is an error', async () => {
    const request = { ...(await valid(rpc)), asyncOperationId }
    const first = await tenant.call(rpc, request)
    expect(first.asyncOperation.id).toBe(asyncOperationId)
    // The token of a key is signed anew (docs/decisions/0007): it says the same, in other bytes.
    const { token, ...again } = await tenant.call(rpc, request)
    expect(first).toMatchObject(again)
    expect(typeof token).toBe(typeof first.token)
    expect(await count('operations where id = $1', asyncOperationId)).toBe(1)

    const other = { ...(await valid(rpc)), asyncOperationId }
    expect(await codeOf(tenant.call(rpc, other))).toBe(status.ALREADY_EXISTS)
    expect(await codeOf(tenant.call(rpc, request, {}, colleague.token))).toBe(status.ALREADY_EXISTS)
    // The id is the tenant's: somebody else's operation of that name is not in the way.
    const elsewhere = { ...(await valid(rpc, stranger)), asyncOperationId }
    expect((await stranger.call(rpc, elsewhere)).asyncOperation.id).toBe(asyncOperationId)
  })

  test('leaves the id free when it was refused, or only tried', async () => {
    const id = `free-${rpc}`
    const request = { ...(await valid(rpc)), asyncOperationId: id }
    expect(await codeOf(tenant.call(rpc, { asyncOperationId: id }))).not.toBe(status.OK)
    await tenant.call(rpc, request, { 'x-aqueduct-dry-run': 'true' })
    expect(await count('operations where id = $1', id)).toBe(0)
    const done = await tenant.call(rpc, request)
    expect(done.asyncOperation.id).toBe(id)
    // Once it was done, a dry run of the same is told of that.
    expect((await tenant.call(rpc, request, { 'x-aqueduct-dry-run': 'true' })).asyncOperation).toEqual(
      done.asyncOperation,
    )
  })
})

describe('a hundred at once, over REST and gRPC', () => {
  const hundred = async (rpc: 'CreateNamespace' | 'CreateServiceAccount', path: string, request: object) => {
    const { owner } = tenant
    return Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        if (index % 2 === 0) return tenant.call(rpc, request)
        const { body } = await api.rest(owner.token, 'POST', path, request)
        return body
      }),
    )
  }

  test('have one effect when a reconciler has to follow', async () => {
    const spec = { name: 'hundred', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
    const request = { spec, asyncOperationId: 'hundred-pending' }
    const answers = await hundred('CreateNamespace', '/cloud/namespaces', request)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ namespace: 'hundred.aaaaa', asyncOperation: { state: 'STATE_PENDING' } })
    expect(await count("operations where id = 'hundred-pending'")).toBe(1)
    expect(await count("graphile_worker.jobs where key = 'reconcile-namespace:hundred.aaaaa'")).toBe(1)
  })

  test('have one effect when it is done at once', async () => {
    const spec = { name: 'hundred', access: { accountAccess: { role: 'ROLE_READ' } } }
    const request = { spec, asyncOperationId: 'hundred-settled' }
    const answers = await hundred('CreateServiceAccount', '/cloud/service-accounts', request)
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0].serviceAccountId).toMatch(/^sa-/)
    expect(await count("service_accounts where tenant_id = 'aaaaa' and name = 'hundred'")).toBe(1)
  })

  test('without an id are a hundred requests, of which one gets the name', async () => {
    const spec = { name: 'anonymous', access: { accountAccess: { role: 'ROLE_READ' } } }
    const codes = await Promise.all(
      Array.from({ length: 100 }, () => codeOf(tenant.call('CreateServiceAccount', { spec }))),
    )
    expect(codes.filter((code) => code === status.OK)).toHaveLength(1)
    expect(new Set(codes)).toEqual(new Set([status.OK, status.ALREADY_EXISTS]))
  })
})

describe('a repeat', () => {
  test('is answered with what became of the first, however it ended', async () => {
    const request = { ...(await valid('CreateNamespace')), asyncOperationId: 'ended' }
    const first = await tenant.call('CreateNamespace', request)
    const states = { in_progress: 'STATE_IN_PROGRESS', fulfilled: 'STATE_FULFILLED', failed: 'STATE_FAILED' }
    for (const [state, shown] of Object.entries(states)) {
      await api.admin.query("update operations set state = $1, failure_reason = 'why' where id = 'ended'", [state])
      const again = await tenant.call('CreateNamespace', request)
      expect(again).toMatchObject({ namespace: first.namespace, asyncOperation: { id: 'ended', state: shown } })
    }
  })

  test('is the same when a map is written in another order', async () => {
    const { spec } = (await valid('CreateNamespace')) as { spec: object }
    const tagged = (tags: object) => ({ spec, tags, asyncOperationId: 'ordered' })
    const first = await tenant.call('CreateNamespace', tagged({ a: '1', b: '2' }))
    expect(await tenant.call('CreateNamespace', tagged({ b: '2', a: '1' }))).toEqual(first)
  })

  test.each(['', 'a b', 'ü', 'x'.repeat(201)])('with the id %j is no repeat', async (asyncOperationId) => {
    const code = await codeOf(tenant.call('CreateNamespace', { ...(await valid('CreateNamespace')), asyncOperationId }))
    expect(code).toBe(asyncOperationId === '' ? status.OK : status.INVALID_ARGUMENT)
  })
})
