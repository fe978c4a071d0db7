import { beforeAll, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { ownCa } from './certificates.ts'
import { code, describeThrough, outcome, signalThrough } from './edge.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { sdkClient } from './sdk.ts'
import { createKey, createServiceAccount, issueCertificate, signUp, type Tenant } from './tenant.ts'

let tenant: Tenant
let namespace: Namespace
let other: Tenant

beforeAll(async () => {
  tenant = await signUp('Refusing')
  other = await signUp('Bystander')
  const { ca } = await issueCertificate(tenant, 'worker')
  namespace = await createNamespace(tenant, { ca })
})

/** `LogRecord` of the contract. */
interface Log {
  readonly operation: string
  readonly principal: { readonly id: string; readonly name?: string; readonly apiKeyId?: string }
  readonly rawDetails: { readonly outcome: string; readonly interface: string; readonly reason: string }
}

async function logs(of: Tenant): Promise<readonly Log[]> {
  const { logs: page } = await of.api.get<{ logs?: readonly Log[] }>('/cloud/audit-logs?pageSize=1000')
  return page ?? []
}

/** What the tenant sees of the first entry about this method that says this of the caller. */
async function refusalOf(what: string, matches: (log: Log) => boolean): Promise<Log> {
  return until(`${what} is in the audit log`, async () => (await logs(tenant)).find(matches), 10_000)
}

const isOfEdge = (log: Log) => log.rawDetails.interface === 'edge'

test('a refused call of an SDK is in the log of the namespace’s tenant within seconds, and in nobody else’s', async () => {
  const reader = await createServiceAccount(tenant, 'reader', { [namespace.id]: 'READ' })
  const readers = await createKey(tenant, reader)
  await until('the reader may read', async () => {
    return (await outcome(describeThrough(namespace, { token: readers.token }))) === code.ok
  })
  const client = await sdkClient(namespace, { token: readers.token })
  const started = client.workflow.start('greeting', { taskQueue: 'none', workflowId: 'none', args: ['x'] })
  await expect(started).rejects.toThrow()
  await client.connection.close()
  const log = await refusalOf('what the cell refused a reader', ({ principal, operation }) => {
    return principal.apiKeyId === readers.id && operation === 'StartWorkflowExecution'
  })
  expect(log).toMatchObject({
    status: 'ERROR',
    principal: { type: 'serviceaccount', id: reader.serviceAccountId, name: 'reader', apiKeyId: readers.id },
    xForwardedFor: expect.stringMatching(/^127\./),
    rawDetails: { interface: 'edge', outcome: 'PERMISSION_DENIED', target: { namespaceId: namespace.id } },
  })

  expect(await outcome(describeThrough(namespace, { token: other.api.token }))).toBe(code.denied)
  const foreign = await refusalOf('a key of another tenant', ({ principal }) => principal.apiKeyId === other.keyId)
  expect(foreign.principal).toMatchObject({ id: other.userId })
  expect(foreign.principal?.name ?? '').toBe('')

  expect(await outcome(describeThrough(namespace, {}))).toBe(code.unauthenticated)
  await refusalOf('nobody', (each) => isOfEdge(each) && each.rawDetails.outcome === 'UNAUTHENTICATED')

  const stranger = await (await ownCa('Stranger')).issue('worker')
  expect(await outcome(describeThrough(namespace, { identity: stranger }))).toBe('none')
  await refusalOf('a certificate of another CA', ({ operation }) => operation === 'Connect')

  const all = [...(await logs(tenant)), ...(await logs(other))]
  expect(JSON.stringify(all)).not.toContain(readers.token)
  expect((await logs(other)).filter(isOfEdge)).toEqual([])
})

test('good calls, and answers that are no refusals, leave nothing', async () => {
  const key = await createKey(tenant)
  await until(
    'the key opens',
    async () => (await outcome(describeThrough(namespace, { token: key.token }))) === code.ok,
  )
  expect(await outcome(signalThrough(namespace, { token: key.token }))).toBe(code.notFound)
  expect(await outcome(describeThrough(namespace, { token: 'not a key' }))).toBe(code.unauthenticated)
  await refusalOf('the later one', (log) => {
    return log.rawDetails.reason.startsWith('the API key is not good')
  })
  const ofKey = (await logs(tenant)).filter((log) => log.principal.apiKeyId === key.id && isOfEdge(log))
  expect(ofKey).toEqual([])
})
