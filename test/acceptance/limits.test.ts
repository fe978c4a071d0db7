import type { CloudOperationsClient } from '@temporalio/cloud'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { operator } from './operator.ts'
import { productUnderTest } from './product-under-test.ts'
import { signUp, type Tenant } from './tenant.ts'

/** A tenant that is as fast as everybody by default, beside one that an operator lets be faster. */
let usual: Tenant
let fast: Tenant
let client: CloudOperationsClient | undefined

beforeAll(async () => {
  const { addresses } = await productUnderTest()
  usual = await signUp('Usual')
  await operator('POST', `/tenants/${usual.id}/limits`, {})
  fast = await signUp('Fast')
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = addresses.caFile
  const { CloudOperationsClient, CloudOperationsConnection } = await import('@temporalio/cloud')
  const address = addresses.grpcTls.replace('127.0.0.1', 'localhost')
  const connection = await CloudOperationsConnection.connect({ address, apiKey: usual.api.token })
  client = new CloudOperationsClient({ connection })
})
afterAll(async () => client?.connection.close())

test('who calls too fast is told so, and nobody else; whoever waits goes on', async () => {
  const calls = Array.from({ length: 150 }, () => usual.api.answer('GET', '/cloud/current-identity'))
  const answers = await Promise.all(calls)
  const refused = answers.filter(({ status }) => status === 429)
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(40)
  expect(refused.length).toBeGreaterThan(0)
  expect(refused[0]?.headers).toMatchObject({
    'retry-after': '1',
    'ratelimit-policy': '"user";q=40;w=1, "account";q=160;w=1',
  })
  expect(refused[0]?.json).toMatchObject({ code: 8, message: expect.stringContaining('one user may make 40 a second') })
  expect((await fast.api.answer('GET', '/cloud/current-identity')).headers['ratelimit-policy']).not.toContain('q=40')
  await until('the same caller goes on', async () => {
    const { status } = await usual.api.answer('GET', '/cloud/current-identity')
    return status === 200
  })
})

test('a public client that is refused tries again by itself, and gets its answers', async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, () => client?.cloudService.getCurrentIdentity({})))
  expect(answers.map((answer) => answer?.user?.id)).toEqual(answers.map(() => usual.userId))
})
