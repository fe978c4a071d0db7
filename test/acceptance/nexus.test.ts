import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../harness/until.ts'
import { code, edgeCall } from './edge.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { createEndpoint, type Endpoint, endpointSpec, startWorker, taskQueue } from './nexus.ts'
import { type Call, type callAndCancel, type callOperation, goOn } from './nexus-workflows.ts'
import { sdkClient } from './sdk.ts'
import { signUp, type Tenant } from './tenant.ts'

/**
 * Two tenants on one cell, each with an endpoint `payments` of its own, and whoever tries to get through the wrong one.
 */
interface Side {
  readonly tenant: Tenant
  readonly target: Namespace
  readonly caller: Namespace
  /** In no policy. */
  readonly outsider: Namespace
  readonly payments: Endpoint
}

let one: Side
let other: Side
const clients = new Map<string, Client>()
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  ;[one, other] = await Promise.all([newSide('NexusOne'), newSide('NexusOther')])
  await createEndpoint(other.tenant, 'only-the-other', other.target, [other.caller])
  for (const { tenant, target, caller, outsider } of [one, other]) {
    for (const namespace of [target, caller, outsider]) await connect(tenant, namespace)
  }
})

afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

async function newSide(company: string): Promise<Side> {
  const tenant = await signUp(company)
  const names = [0, 1, 2]
  const [target, caller, outsider] = await Promise.all(names.map(() => createNamespace(tenant)))
  if (target === undefined || caller === undefined || outsider === undefined) throw new Error('three were made')
  return { tenant, target, caller, outsider, payments: await createEndpoint(tenant, 'payments', target, [caller]) }
}

async function connect(tenant: Tenant, namespace: Namespace): Promise<void> {
  const credentials = { token: tenant.api.token }
  const worker = await startWorker(namespace, credentials)
  closing.push(() => worker.stop())
  const client = await sdkClient(namespace, credentials)
  closing.push(() => client.connection.close())
  clients.set(namespace.id, client)
}

function clientOf(namespace: Namespace): Client {
  const client = clients.get(namespace.id)
  if (client === undefined) throw new Error(`${namespace.id} has no client`)
  return client
}

interface Asked extends Partial<Call> {
  /** Headers that the workflow's author gives the operation. */
  readonly headers?: Readonly<Record<string, string>>
}

function start(from: Namespace, { headers, ...call }: Asked) {
  return clientOf(from).workflow.start<typeof callOperation>('callOperation', {
    args: [{ endpoint: 'payments', operation: 'sync', name: 'you', ...call }],
    taskQueue,
    workflowId: randomUUID(),
    workflowExecutionTimeout: '60 s',
    ...(headers === undefined ? {} : { memo: { headers } }),
  })
}

/** What an operation said. */
async function call(from: Namespace, asked: Asked = {}): Promise<string> {
  const handle = await start(from, asked)
  return handle.result()
}

/** All that the calling workflow's failure says, from the outside in. */
async function failure(from: Namespace, asked: Asked = {}): Promise<readonly string[]> {
  try {
    throw new Error(`it was let through: ${await call(from, asked)}`)
  } catch (thrown) {
    if (!(thrown instanceof WorkflowFailedError)) throw thrown
    const words: string[] = []
    for (let cause: unknown = thrown.cause; cause instanceof Error; cause = cause.cause) words.push(cause.message)
    return words
  }
}

const notFound = (name: string) => expect.stringContaining(`no Nexus endpoint "${name}" that this namespace may call`)

/** The message of the failed workflow task: the cell does not take such a command at all. Else, why the workflow failed. */
async function refusedCommand(from: Namespace, asked: Asked): Promise<string> {
  const handle = await start(from, asked)
  try {
    return await until('a workflow task fails', async () => {
      const { events } = await handle.fetchHistory()
      const failed = events?.find((event) => event.workflowTaskFailedEventAttributes)
      const ended = events?.find((event) => event.workflowExecutionFailedEventAttributes)
      return (
        failed?.workflowTaskFailedEventAttributes?.failure?.message ??
        // Every message of the chain of causes.
        (ended && JSON.stringify(ended.workflowExecutionFailedEventAttributes)?.replaceAll('\\"', '"'))
      )
    })
  } finally {
    await handle.terminate().catch((thrown: unknown) => {
      // It has ended by itself.
      if (!(thrown instanceof WorkflowNotFoundError)) throw thrown
    })
  }
}

describe('an allowed caller', () => {
  test('gets the answer of an operation that answers at once, and of one that completes later', async () => {
    expect(await call(one.caller)).toBe(`Hello you, from ${one.target.id}`)
    expect(await call(one.caller, { operation: 'async' })).toBe(`Hello you, from ${one.target.id}, later`)
  })

  test('cancels what it started', async () => {
    const result = await clientOf(one.caller).workflow.execute<typeof callAndCancel>('callAndCancel', {
      args: ['payments'],
      taskQueue,
      workflowId: randomUUID(),
      workflowExecutionTimeout: '60 s',
    })
    expect(result).toBe('cancelled')
  })

  test('reaches its own tenant’s target, whoever else has an endpoint of that name', async () => {
    const answers = await Promise.all(
      [one, other].flatMap(({ caller }) =>
        (['sync', 'async'] as const).map((operation) => call(caller, { operation, name: caller.id })),
      ),
    )
    expect(answers).toEqual(
      [one, other].flatMap(({ caller, target }) => [
        `Hello ${caller.id}, from ${target.id}`,
        `Hello ${caller.id}, from ${target.id}, later`,
      ]),
    )
  })
})

describe('whoever is not allowed', () => {
  test('is told that there is no such endpoint, and not again and again', async () => {
    for (const namespace of [one.outsider, one.target, other.outsider]) {
      const began = performance.now()
      expect(await failure(namespace)).toContainEqual(notFound('payments'))
      expect(performance.now() - began).toBeLessThan(10_000)
    }
  })

  test('cannot call another tenant’s endpoint by its name', async () => {
    expect(await failure(one.caller, { endpoint: 'only-the-other' })).toContainEqual(notFound('only-the-other'))
    expect(await refusedCommand(one.caller, { endpoint: 'nobodys' })).toContain('"nobodys" not found')
  })

  test.each([
    ['x-aqueduct-scope', () => `${one.caller.id}@0`],
    ['x-principal', () => one.tenant.userId],
    ['authorization', () => `Bearer ${one.tenant.api.token}`],
    ['callback', () => one.caller.id],
    ['x-forwarded-for', () => '127.0.0.1'],
    ['x-envoy-original-path', () => '/'],
  ])('gets no further by the header %s', async (name, value) => {
    expect(await failure(one.outsider, { headers: { [name]: value() } })).toContainEqual(notFound('payments'))
  })

  test.each(['nexus-link', 'Nexus-Operation-Token', 'nexus-callback-temporal-callback-token', 'proxy-authorization'])(
    'may not even give the header %s',
    async (name) => {
      expect(await refusedCommand(one.caller, { headers: { [name]: 'forged' } })).toContain('disallowed header key')
    },
  )

  test('does no harm to an allowed caller by forged credentials', async () => {
    const headers = { authorization: 'Bearer x', 'x-aqueduct-scope': 'x', 'authorization-extras': 'x' }
    expect(await call(one.caller, { headers })).toBe(`Hello you, from ${one.target.id}`)
  })
})

describe('other ways in', () => {
  test('the edge forwards no Nexus call, and nothing of the operator service', async () => {
    const credentials = { token: one.tenant.api.token }
    for (const path of [
      `/namespaces/${one.target.id}/task-queues/${taskQueue}/nexus-services/greeter/sync`,
      `/namespaces/${one.target.id}/nexus/callback`,
      '/nexus/callback',
      '/temporal.api.nexusservice.v1.NexusService/DispatchNexusTask',
    ]) {
      expect((await edgeCall(one.target, credentials, path, new Uint8Array())).grpcStatus, path).toBe(
        code.unimplemented,
      )
    }
    for (const method of ['ListNexusEndpoints', 'CreateNexusEndpoint', 'DeleteNexusEndpoint']) {
      const path = `/temporal.api.operatorservice.v1.OperatorService/${method}`
      expect((await edgeCall(one.target, credentials, path, new Uint8Array())).grpcStatus, path).toBe(code.denied)
    }
  })

  test('the router answers nobody without the password, and the frontend nobody without a token', async () => {
    const host = `${Buffer.from('payments').toString('hex')}.endpoint.nexus.aqueduct.internal`
    const path = `/greeter/sync?callback=${one.caller.id}`
    expect(await post(one.caller.host, 7251, path, { host })).toBe(407)
    const guess = `Basic ${Buffer.from('history:').toString('base64')}`
    expect(await post(one.caller.host, 7251, path, { host, 'proxy-authorization': guess })).toBe(407)
    expect(await post(one.caller.host, 7251, '/', { host: 'unknown' })).toBe(407)
    const direct = `/namespaces/${one.target.id}/task-queues/${taskQueue}/nexus-services/greeter/sync`
    expect(await post(one.caller.host, 7247, direct, {})).toBe(403)
    const token = `Bearer ${one.tenant.api.token}`
    expect(await post(one.caller.host, 7247, direct, { authorization: token })).toBe(401)
  })

  test('a workflow is started with no callback to anywhere else', async () => {
    const { target } = other
    const client = clientOf(target)
    const started = (url: string) =>
      client.workflowService.startWorkflowExecution({
        namespace: target.id,
        workflowId: randomUUID(),
        requestId: randomUUID(),
        workflowType: { name: 'greetFromHandler' },
        taskQueue: { name: taskQueue },
        completionCallbacks: [{ nexus: { url } }],
      })
    for (const url of ['http://127.0.0.1:7247/', 'http://169.254.169.254/', 'https://example.com/']) {
      await expect(started(url), url).rejects.toMatchObject({ code: code.invalid })
    }
  })
})

describe('a change', () => {
  test('of the policy acts when it is fulfilled, and loses nothing that is under way', async () => {
    const handle = await start(other.caller, { operation: 'patient', name: 'late' })
    const inTarget = clientOf(other.target)
    const started = await until('the operation has started', async () => {
      const { events } = await handle.fetchHistory()
      return events?.find((event) => event.nexusOperationStartedEventAttributes)
    })
    const requestId = started.nexusOperationStartedEventAttributes?.requestId ?? ''
    const spec = endpointSpec('payments', other.target, [other.outsider])
    await other.tenant.api.update(other.payments.path, { policySpecs: spec.policySpecs })
    expect(await failure(other.caller)).toContainEqual(notFound('payments'))
    expect(await call(other.outsider)).toBe(`Hello you, from ${other.target.id}`)
    await inTarget.workflow.getHandle(requestId).signal(goOn)
    expect(await handle.result()).toBe(`Hello late, from ${other.target.id}, later`)
  })

  test('a deleted endpoint is gone for its tenant, and stays for the other', async () => {
    await other.tenant.api.delete(other.payments.path)
    expect(await failure(other.outsider)).toContainEqual(notFound('payments'))
    expect(await call(one.caller)).toBe(`Hello you, from ${one.target.id}`)
    await one.tenant.api.delete(one.payments.path)
    // The cell's services hear of it one after another: until the last one has, Envoy is who knows no such endpoint.
    expect(await refusedCommand(one.caller, {})).toMatch(
      /"payments" not found|no Nexus endpoint "payments" that this namespace may call/,
    )
  })

  test('a namespace in another cell cannot be a caller, and the operation says so', async () => {
    const { tenant, target } = one
    const abroad = await createNamespace(tenant, { region: 'aws-eu-west-1' })
    await expect(createEndpoint(tenant, 'abroad', target, [abroad])).rejects.toThrow('not on the same cell')
  })
})

/** The status of a call straight to a node. */
function post(host: string, port: number, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, method: 'POST', headers, agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject)
    sent.end('"x"')
  })
}
