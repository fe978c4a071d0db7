import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../harness/until.ts'
import { type Cloud, closeClients, cloudOf, everyPage, refusal, refused } from '../cloud-client.ts'
import { createKey, createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const timestamp = (date: Date) =>
  temporal.api.cloud.cloudservice.v1.GetAuditLogsRequest.fromObject({
    startTimeInclusive: { seconds: Math.floor(date.getTime() / 1000), nanos: (date.getTime() % 1000) * 1_000_000 },
  }).startTimeInclusive ?? null

let tenant: Tenant
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Audited')
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

test('what was done and what was refused, with who it was and what came of it', async () => {
  const began = timestamp(new Date())
  const robot = await createServiceAccount(tenant, 'robot')
  const key = await createKey(tenant, robot)
  const theirs = await cloudOf(key.token)
  const spec = { displayName: 'forbidden', cloudGroup: {} }
  await refused(theirs.createUserGroup({ spec }), refusal.denied)
  const logs = () =>
    everyPage(
      (page) => cloud.getAuditLogs({ startTimeInclusive: began, ...page }),
      (page) => page.logs,
    )
  const refusalOf = (each: Awaited<ReturnType<typeof logs>>) =>
    each.find(({ operation }) => operation === 'CreateUserGroupAPI')
  // Changes are in the log with the change itself, refusals some time after.
  const all = await until('the refusal is in the log', async () => {
    const found = await logs()
    return refusalOf(found) === undefined ? undefined : found
  })
  expect(all.find(({ operation }) => operation === 'CreateServiceAccountAPI')).toMatchObject({
    status: 'OK',
    principal: { type: 'user', id: tenant.userId, apiKeyId: tenant.keyId },
    asyncOperationId: expect.stringMatching(/./),
    xForwardedFor: '127.0.0.1',
  })
  expect(refusalOf(all)).toMatchObject({
    status: 'ERROR',
    principal: { type: 'serviceaccount', id: robot.serviceAccountId, apiKeyId: key.id },
  })
  const ids = all.map(({ logId }) => logId)
  expect(new Set(ids).size).toBe(ids.length)
  const times = all.map(({ emitTime }) => Number(emitTime?.seconds) * 1e9 + (emitTime?.nanos ?? 0))
  expect(times, 'by time').toEqual(times.toSorted((a, b) => a - b))
  expect(JSON.stringify(all)).not.toContain(key.token)
})

test('a span of time: its start is in it, its end is not', async () => {
  const { logs } = await cloud.getAuditLogs({})
  const [first] = logs
  expect(first).toBeDefined()
  const at = first?.emitTime ?? null
  const from = await cloud.getAuditLogs({ startTimeInclusive: at })
  expect(from.logs.map(({ logId }) => logId)).toContain(first?.logId)
  expect((await cloud.getAuditLogs({ endTimeExclusive: at })).logs).toEqual([])
  await refused(cloud.getAuditLogs({ startTimeInclusive: at, endTimeExclusive: at }), refusal.invalid)
  const stranger = await signUp('Unaudited')
  const theirs = await (await cloudOf(stranger.api.token)).getAuditLogs({})
  const mine = new Set(logs.map(({ logId }) => logId))
  expect(theirs.logs.filter(({ logId }) => mine.has(logId))).toEqual([])
})
