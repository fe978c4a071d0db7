import { randomUUID } from 'node:crypto'
import proto from '@temporalio/proto'
import { beforeAll, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import type { Mutated } from './cloud-api.ts'
import { code, edgeConnection, headersOf, workflowService } from './edge.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { sdkClient } from './sdk.ts'
import { signUp, type Tenant } from './tenant.ts'

/** What a namespace's spec asks for, seen where it acts: by clients of the data plane. */

const { v1: workflowservice } = proto.temporal.api.workflowservice
let tenant: Tenant

beforeAll(async () => {
  tenant = await signUp('Namespaces')
})

interface Found {
  readonly namespace: { readonly resourceVersion: string; readonly spec: Readonly<Record<string, object>> }
}

async function update({ path }: Namespace, change: object, version?: string): Promise<void> {
  const { namespace } = await tenant.api.get<Found>(path)
  const { customSearchAttributes: _, ...spec } = namespace.spec
  const body = { spec: { ...spec, ...change }, resourceVersion: version ?? namespace.resourceVersion }
  await tenant.api.fulfilled(await tenant.api.post<Mutated>(path, body))
}

test('a search attribute: stored, found, renamed, found under its new name, and its old name begins anew', async () => {
  const keyword = 'SEARCH_ATTRIBUTE_TYPE_KEYWORD'
  const spec = { searchAttributes: { Customer: keyword } }
  const namespace = await createNamespace(tenant, { spec })
  const client = await sdkClient(namespace, { token: tenant.api.token })
  const start = async (workflowId: string, searchAttributes: Record<string, string[]>) => {
    await client.workflow.start('nothing', { taskQueue: randomUUID(), workflowId, searchAttributes })
  }
  const found = async (query: string) => {
    const ids: string[] = []
    for await (const workflow of client.workflow.list({ query })) ids.push(workflow.workflowId)
    return ids.toSorted().join()
  }
  try {
    // FULFILLED means that it acts: none of these first calls may fail.
    await start('first', { Customer: ['acme'] })
    await until('it is found', async () => (await found("Customer = 'acme'")) === 'first', 5_000)

    const { resourceVersion } = (await tenant.api.get<Found>(namespace.path)).namespace
    const renamed = await tenant.api.post<Mutated>(`${namespace.path}/rename-custom-search-attribute`, {
      existingCustomSearchAttributeName: 'Customer',
      newCustomSearchAttributeName: 'Buyer',
      resourceVersion,
    })
    await tenant.api.fulfilled(renamed)
    expect(await found("Buyer = 'acme'")).toBe('first')
    await expect(found("Customer = 'acme'")).rejects.toThrow()
    await start('second', { Buyer: ['acme'] })
    await until('both are found', async () => (await found("Buyer = 'acme'")) === 'first,second', 5_000)

    await update(namespace, { searchAttributes: { Customer: keyword, Buyer: keyword } }, resourceVersion)
    expect(await found("Customer = 'acme'")).toBe('')
    await start('third', { Customer: ['acme'], Buyer: ['other'] })
    await until('only the third is found', async () => (await found("Customer = 'acme'")) === 'third', 5_000)
  } finally {
    await client.connection.close()
  }
})

test('more capacity: the limit of a namespace is its own, and moves with its units', async () => {
  const [small, large] = await Promise.all([createNamespace(tenant), createNamespace(tenant)])
  await update(large, { capacitySpec: { provisioned: { value: 12 } } })
  expect(await tenant.api.get(`${large.path}/capacity-info`)).toMatchObject({
    capacityInfo: {
      currentCapacity: {
        provisioned: { currentValue: 12 },
        latestRequest: { state: 'STATE_CAPACITY_REQUEST_COMPLETED', spec: { provisioned: { value: 12 } } },
      },
    },
  })
  expect(await tenant.api.get(large.path)).toMatchObject({
    namespace: { limits: { actionsPerSecondLimit: 6_000 }, spec: { capacitySpec: { provisioned: { value: 12 } } } },
  })
  // Lists and counts have a limit of their own, 30 a second for each 500 actions: one that a test can reach.
  const calls = 300
  const refused = { small: await refusals(small, calls), large: await refusals(large, calls) }
  expect(refused.small).toBeGreaterThan(0)
  expect(refused.large).toBe(0)
  // And the one that asked too much is served again.
  await until('it is served again', async () => (await refusals(small, 1)) === 0, 5_000)
})

test('tags are set at once', async () => {
  const { path } = await createNamespace(tenant)
  await tenant.api.fulfilled(await tenant.api.post<Mutated>(`${path}/update-tags`, { tagsToUpsert: { team: 'a' } }))
  expect(await tenant.api.get(path)).toMatchObject({ namespace: { tags: { team: 'a' } } })
})

/** How many of so many calls at once, on one connection, are refused with RESOURCE_EXHAUSTED. */
async function refusals(namespace: Namespace, calls: number): Promise<number> {
  const credentials = { token: tenant.api.token }
  const connection = await edgeConnection(namespace, credentials)
  const call = {
    authority: namespace.hostname,
    path: `${workflowService}/CountWorkflowExecutions`,
    message: workflowservice.CountWorkflowExecutionsRequest.encode({ namespace: namespace.id }).finish(),
    headers: headersOf(credentials),
  }
  try {
    const replies = await Promise.all(Array.from({ length: calls }, () => connection.call(call)))
    const codes = replies.map((reply) => reply.grpcStatus)
    expect(codes.filter((each) => each !== code.ok && each !== code.exhausted)).toEqual([])
    return codes.filter((each) => each === code.exhausted).length
  } finally {
    connection.close()
  }
}
