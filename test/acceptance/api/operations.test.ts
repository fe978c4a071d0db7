import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cloud, closeClients, cloudClient, cloudOf, done, refusal, refused } from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { productUnderTest } from '../product-under-test.ts'
import { signUp, type Tenant } from '../tenant.ts'

const { State } = temporal.api.cloud.operation.v1.AsyncOperation
const { CreateUserGroupRequest } = temporal.api.cloud.cloudservice.v1

let tenant: Tenant
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Operations')
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const group = (displayName: string) => ({ displayName, cloudGroup: {} })

test('an operation says what was asked, in a type that every client knows', async () => {
  const changed = await cloud.createUserGroup({ spec: group('one') })
  expect(changed.asyncOperation?.id, 'made up when none was given').toMatch(/^[0-9a-f-]{36}$/)
  const { operationInput } = await done(cloud, 'CreateUserGroup', changed)
  const input = CreateUserGroupRequest.decode(operationInput?.value ?? Buffer.of())
  expect(input.spec).toMatchObject({ displayName: 'one', cloudGroup: {} })
})

test('an operation id: the same request is the same operation, another request is refused, and it is free after a refusal', async () => {
  const asyncOperationId = randomUUID()
  await refused(cloud.createUserGroup({ spec: group('!'), asyncOperationId }), refusal.invalid)
  await refused(cloud.getAsyncOperation({ asyncOperationId }), refusal.notFound)
  const request = { spec: group('two'), asyncOperationId }
  const answers = await Promise.all(Array.from({ length: 20 }, () => cloud.createUserGroup(request)))
  expect(new Set(answers.map(({ groupId }) => groupId)).size).toBe(1)
  await refused(cloud.createUserGroup({ spec: group('three'), asyncOperationId }), refusal.exists)
  await refused(cloud.createCustomRole({ asyncOperationId, spec: { name: 'x' } }), refusal.exists)
})

test('one that takes a while is pending first, and says when to ask again', async () => {
  const spec = { name: 'a-while', regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const { namespace, asyncOperation } = await cloud.createNamespace({ spec })
  expect(asyncOperation).toMatchObject({ state: State.STATE_PENDING, stateDeprecated: 'pending', finishedTime: null })
  const { seconds, nanos } = asyncOperation?.checkDuration ?? {}
  expect(Number(seconds) + (nanos ?? 0) / 1e9).toBeGreaterThan(0)
  const { namespace: meanwhile } = await cloud.getNamespace({ namespace })
  expect(meanwhile).toMatchObject({ namespace, spec: { name: 'a-while' } })
  await done(cloud, 'CreateNamespace', { asyncOperation: asyncOperation ?? null })
  expect((await cloud.getNamespace({ namespace })).namespace?.stateDeprecated).toBe('active')
})

test('ids that nobody has: what the SDK in Go fills in by itself is not found, and nothing worse', async () => {
  await refused(cloud.getAsyncOperation({ asyncOperationId: randomUUID() }), refusal.notFound)
  await refused(cloud.getAsyncOperation({ asyncOperationId: 'never' }), refusal.notFound)
  const go = new GoClient(tenant.api.token)
  expect((await go.refusal('GetAsyncOperation', {})).code).toBe(refusal.notFound)
  await go.close()
})

test.each(Object.entries(goClients))('the version header of %s is taken', async (_client, headers) => {
  const go = new GoClient(tenant.api.token, headers)
  expect((await go.call('GetAccount')).account.id).toBe(tenant.id)
  await go.close()
})

test('npm’s client with a version, and without one', async () => {
  const client = await cloudClient(tenant.api.token)
  const metadata = { 'temporal-cloud-api-version': '2025-05-31-00' }
  const { account } = await client.withMetadata(metadata, () => client.cloudService.getAccount({}))
  expect(account?.id).toBe(tenant.id)
})

test('pings without calls, and a connection that waits, are no offence', async () => {
  const { addresses, ca } = await productUnderTest()
  const session = connect(`https://${addresses.grpcTls.replace('127.0.0.1', 'localhost')}`, { ca })
  let goneAway = false
  session.on('goaway', () => {
    goneAway = true
  })
  try {
    await once(session, 'connect')
    for (let ping = 0; ping < 50; ping += 1) {
      await new Promise<void>((resolve, reject) => {
        session.ping((error) => (error === null ? resolve() : reject(error)))
      })
    }
    expect(goneAway || session.closed).toBe(false)
  } finally {
    session.destroy()
  }
})
