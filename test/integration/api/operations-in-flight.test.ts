import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.close())

let tenants = 0
const newTenant = (limits = {}) => api.newTenant(`flight${(tenants += 1)}`, limits)
const create = ({ token }: Principal, name: string, asyncOperationId = '') =>
  api.rest(token, 'POST', '/cloud/namespaces', {
    spec: { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } },
    asyncOperationId,
  })
const accounts = async (sql: string) => (await api.admin.query(sql)).rows[0].count

test('of thirty at once, exactly ten go on, and nothing of the others is left', async () => {
  const owner = await newTenant()
  const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => create(owner, `ns-${index}`)))
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(10)
  const refused = answers.filter((answer) => answer.status !== 200)
  expect(refused).toHaveLength(20)
  for (const answer of refused) {
    expect(answer).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { code: status.RESOURCE_EXHAUSTED, message: expect.stringContaining('10 operations in flight') },
    })
  }
  expect(await accounts(`select count(*) from namespaces where tenant_id = 'flight${tenants}'`)).toBe(10)
  expect(await accounts(`select count(*) from operations where tenant_id = 'flight${tenants}'`)).toBe(10)
})

test('what is settled at once does not count, and goes on at the limit; one that ends makes room', async () => {
  const owner = await newTenant({ operationsInFlight: 1 })
  const first = await create(owner, 'first', 'the-first')
  expect(first.status).toBe(200)
  expect((await create(owner, 'second')).status).toBe(429)
  const spec = { name: 'ci', access: { accountAccess: { role: 'ROLE_READ' } } }
  expect((await api.rest(owner.token, 'POST', '/cloud/service-accounts', { spec })).status).toBe(200)
  expect((await create(await newTenant(), 'other')).status).toBe(200)

  // The same once more is answered, whatever is in flight; what is wrong with a request is said first.
  const again = await create(owner, 'first', 'the-first')
  expect(again.body).toEqual(first.body)
  expect((await create(owner, 'NOT A NAME')).body.code).toBe(status.INVALID_ARGUMENT)

  for (const state of ['in_progress', 'fulfilled']) {
    await api.admin.query('update operations set state = $1 where id = $2', [state, 'the-first'])
    expect((await create(owner, 'second')).status).toBe(state === 'fulfilled' ? 200 : 429)
  }
})

test('over gRPC the refusal says when to come back', async () => {
  const owner = await newTenant({ operationsInFlight: 1 })
  await create(owner, 'first')
  const spec = { name: 'second', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const error = await api.grpc(owner.token, 'CreateNamespace', { spec }).catch((thrown) => thrown)
  expect(error.code).toBe(status.RESOURCE_EXHAUSTED)
  expect(error.metadata.get('retry-after')).toEqual(['1'])
})
