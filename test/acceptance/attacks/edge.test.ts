import proto from '@temporalio/proto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeaks } from '../../harness/leaks.ts'
import { ownCa } from '../certificates.ts'
import { encode, workflowMethods } from '../contract.ts'
import {
  type Credentials,
  code,
  describeMessage,
  describeThrough,
  edgeCall,
  headersOf,
  outcome,
  workflowService,
} from '../edge.ts'
import type { Identity } from '../http.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { operatorIdentity } from '../operator.ts'
import { type ProductUnderTest, productCondition, productUnderTest } from '../product-under-test.ts'
import { type RawReply, rawCall } from '../raw-grpc.ts'
import { issueCertificate, signUp, type Tenant } from '../tenant.ts'

const { v1: service } = proto.temporal.api.workflowservice
let product: ProductUnderTest
let victim: Tenant
let attacker: Tenant
let target: Namespace
let own: Namespace
let victims: Identity
let attackers: Identity

beforeAll(async () => {
  product = await productUnderTest()
  victim = await signUp('Victim')
  attacker = await signUp('Attacker')
  const [theirs, mine] = [await issueCertificate(victim, 'worker'), await issueCertificate(attacker, 'worker')]
  target = await createNamespace(victim, { name: 'target', ca: theirs.ca })
  own = await createNamespace(attacker, { name: 'own', ca: mine.ca })
  victims = theirs
  attackers = mine
  const started = await edgeCall(target, { identity: victims }, 'StartWorkflowExecution', startMessage(target.id))
  expect(started.grpcStatus).toBe(code.ok)
})

afterAll(async () => {
  expect(await outcome(describeThrough(target, { identity: victims })), 'the victim works on').toBe(code.ok)
  const { alive, output } = await productCondition()
  expect(alive).toBe(true)
  expect(findLeaks(product.dataDirectory, output)).toEqual([])
})

const attackersCredentials = (): Readonly<Record<'certificate' | 'API key', Credentials>> => ({
  certificate: { identity: attackers },
  'API key': { token: attacker.api.token },
})

function startMessage(namespace: string, workflowId = 'secret'): Uint8Array {
  return service.StartWorkflowExecutionRequest.encode({
    namespace,
    workflowId,
    workflowType: { name: 'patientGreeting' },
    taskQueue: { name: 'secrets' },
    requestId: workflowId,
  }).finish()
}

/** The token of the next workflow task of the queue `secrets`. */
async function workflowTask(namespace: Namespace, identity: Identity): Promise<Uint8Array> {
  const request = { namespace: namespace.id, taskQueue: { name: 'secrets' }, identity: 'worker' }
  const message = service.PollWorkflowTaskQueueRequest.encode(request).finish()
  const polled = await edgeCall(namespace, { identity }, 'PollWorkflowTaskQueue', message)
  expect(polled, polled.text).toMatchObject({ grpcStatus: code.ok })
  const { taskToken } = service.PollWorkflowTaskQueueResponse.decode(polled.message)
  expect(taskToken.length).toBeGreaterThan(0)
  return taskToken
}

interface Disguise extends Credentials {
  readonly serverName: string
  readonly authority: string
  readonly namespace: string
}

/** DescribeNamespace with server name, authority and namespace each as one likes. */
function disguised({ serverName, authority, namespace, ...credentials }: Disguise): Promise<RawReply> {
  const { host, port } = target
  return rawCall(
    { host, port, tls: { ca: product.ca, serverName, identity: credentials.identity } },
    {
      authority,
      path: `${workflowService}/DescribeNamespace`,
      message: describeMessage(namespace),
      headers: headersOf(credentials),
    },
  )
}

describe('connections', () => {
  test('certificates of anybody else: no connection', async () => {
    const mimic = await ownCa('Mimic')
    const identities = {
      'of another tenant': attackers,
      'of a CA that nobody knows': await mimic.issue('worker'),
      'of an operator': await operatorIdentity(),
    }
    for (const [whose, identity] of Object.entries(identities)) {
      expect(await outcome(describeThrough(target, { identity })), whose).toBe('none')
      const both = { identity, token: victim.api.token }
      expect(await outcome(describeThrough(target, both)), `${whose}, with a good key`).toBe('none')
    }
  })

  test.each(['', 'aqueduct.localhost', 'closed.invalid', 'localhost', 'x.target', '*.aqueduct.localhost'])(
    'the server name %j: no connection',
    async (serverName) => {
      const authority = target.hostname
      for (const credentials of [{ identity: victims }, { token: victim.api.token }, {}]) {
        const call = disguised({ ...credentials, serverName, authority, namespace: target.id })
        expect(await outcome(call)).toBe('none')
      }
    },
  )

  test.each(['certificate', 'API key'] as const)(
    'server name, authority and namespace that do not agree, with a %s',
    async (kind) => {
      const credentials = attackersCredentials()[kind]
      const mine = { serverName: own.hostname, authority: own.hostname, namespace: own.id, ...credentials }
      const other = target.hostname
      expect(await outcome(disguised(mine))).toBe(code.ok)
      expect(await outcome(disguised({ ...mine, namespace: target.id }))).toBe(code.denied)
      expect(await outcome(disguised({ ...mine, authority: other }))).toBe(code.denied)
      expect(await outcome(disguised({ ...mine, authority: `${other}:7233` }))).toBe(code.denied)
      expect(await outcome(disguised({ ...mine, authority: other.toUpperCase() }))).toBe(code.denied)
      expect(await outcome(disguised({ ...mine, authority: `${own.hostname}.` }))).toBe(code.denied)
      expect(await outcome(disguised({ ...mine, authority: other, namespace: target.id }))).toBe(code.denied)
      const refused = kind === 'certificate' ? 'none' : code.denied
      for (const authority of [own.hostname, other]) {
        for (const namespace of [own.id, target.id]) {
          const call = disguised({ ...mine, serverName: other, authority, namespace })
          expect(await outcome(call), `${authority} ${namespace}`).toBe(refused)
        }
      }
    },
  )
})

describe('requests for another namespace, on a connection of one’s own', () => {
  const withNamespace = workflowMethods.filter(({ requestType }) => 'namespace' in requestType.fields)

  test.each(['certificate', 'API key'] as const)('every method that has a namespace, with a %s', async (kind) => {
    expect(withNamespace.length).toBeGreaterThan(80)
    const credentials = attackersCredentials()[kind]
    const execution = { workflowId: 'secret' }
    const guesses = { namespace: target.id, taskQueue: { name: 'secrets' }, workflowExecution: execution, execution }
    const outcomes: Record<string, number | 'none'> = {}
    for (const method of withNamespace) {
      const fields = Object.entries(guesses).filter(([name]) => typeFits(method.requestType.fields[name], name))
      const message = encode(method, Object.fromEntries(fields))
      outcomes[method.name] = await outcome(edgeCall(own, credentials, method.grpcPath, message))
    }
    const wrong = Object.entries(outcomes).filter(([, result]) => result !== code.denied)
    expect(wrong).toEqual([])
  })

  test('a namespace hidden in a batch of operations', async () => {
    const multi = service.ExecuteMultiOperationRequest.encode({
      namespace: own.id,
      operations: [
        { startWorkflow: service.StartWorkflowExecutionRequest.decode(startMessage(target.id, 'smuggled')) },
        {
          updateWorkflow: {
            namespace: target.id,
            workflowExecution: { workflowId: 'smuggled' },
            waitPolicy: { lifecycleStage: 2 },
            request: { meta: { updateId: 'one' }, input: { name: 'x' } },
          },
        },
      ],
    }).finish()
    const reply = await edgeCall(own, { identity: attackers }, 'ExecuteMultiOperation', multi)
    expect(reply.grpcStatus).not.toBe(code.ok)
    expect(await described('smuggled')).toBe(code.notFound)
  })

  test('a task token of another namespace, under one’s own name and under none', async () => {
    const taskToken = await workflowTask(target, victims)
    const complete = (namespace: string) =>
      service.RespondWorkflowTaskCompletedRequest.encode({ taskToken, namespace, identity: 'worker' }).finish()
    const method = 'RespondWorkflowTaskCompleted'
    for (const credentials of Object.values(attackersCredentials())) {
      for (const namespace of [own.id, target.id, '']) {
        const reply = await edgeCall(own, credentials, method, complete(namespace))
        expect([code.denied, code.invalid], `${namespace}: ${reply.text}`).toContain(reply.grpcStatus)
      }
    }
    const mine = await edgeCall(target, { identity: victims }, method, complete(target.id))
    expect(mine.grpcStatus, 'the token was still good').toBe(code.ok)
  })

  test('a workflow that reaches for another namespace', async () => {
    const identity = attackers
    await edgeCall(own, { identity }, 'StartWorkflowExecution', startMessage(own.id, 'reaching'))
    const taskToken = await workflowTask(own, identity)
    const { CommandType } = proto.temporal.api.enums.v1
    const commands = [
      {
        commandType: CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
        startChildWorkflowExecutionCommandAttributes: {
          namespace: target.id,
          workflowId: 'child',
          workflowType: { name: 'x' },
          taskQueue: { name: 'secrets' },
        },
      },
    ]
    const request = { taskToken, namespace: own.id, identity: 'worker', commands }
    const message = service.RespondWorkflowTaskCompletedRequest.encode(request).finish()
    const reply = await edgeCall(own, { identity }, 'RespondWorkflowTaskCompleted', message)
    expect(reply.grpcStatus, reply.text).not.toBe(code.ok)
    expect(await described('child')).toBe(code.notFound)
  })

  /** Whether the victim has a workflow of that id. */
  async function described(workflowId: string): Promise<number | 'none'> {
    const request = { namespace: target.id, execution: { workflowId } }
    const message = service.DescribeWorkflowExecutionRequest.encode(request).finish()
    return outcome(edgeCall(target, { identity: victims }, 'DescribeWorkflowExecution', message))
  }
})

describe('headers that only the inside may write', () => {
  const spoofed = (): readonly Readonly<Record<string, string>>[] => [
    { 'x-principal': victim.userId },
    { 'x-aqueduct-key': victim.keyId, 'x-principal': victim.userId },
    { 'x-aqueduct-probe': 'aqueduct-probe' },
    { 'x-aqueduct-fingerprint': 'a'.repeat(64), 'x-aqueduct-subject': 'CN=worker' },
    { 'x-aqueduct-scope': `${target.id}@0000000000000000` },
    { 'x-forwarded-client-cert': 'By=spiffe://edge;Hash=aa;Subject="CN=worker"' },
    { 'x-forwarded-for': '127.0.0.1', 'x-envoy-internal': 'true', 'x-envoy-original-path': '/' },
    { 'authorization-extras': 'admin', 'temporal-principal-type': 'operator', 'caller-type': 'operator' },
    { 'x-jwt-payload': Buffer.from(`{"sub":"${victim.userId}"}`).toString('base64') },
  ]

  test('do not stand for credentials', async () => {
    for (const headers of spoofed()) {
      const names = Object.keys(headers).join(', ')
      expect(await outcome(describeThrough(target, { headers })), names).toBe(code.unauthenticated)
      const withKey = { headers, token: attacker.api.token }
      expect(await outcome(describeThrough(target, withKey)), `${names}, and a key`).toBe(code.denied)
    }
  })

  test('do not lead from one’s own connection to another namespace', async () => {
    for (const headers of spoofed()) {
      const credentials = { headers, identity: attackers }
      expect(await outcome(describeThrough(own, credentials, target.id))).toBe(code.denied)
      expect(await outcome(describeThrough(own, credentials))).toBe(code.ok)
    }
  })

  test('a good certificate does not make up for a bad key', async () => {
    const both = { identity: victims, token: attacker.api.token }
    expect(await outcome(describeThrough(target, both))).toBe(code.denied)
    const broken = { identity: victims, token: 'not.a.token' }
    expect(await outcome(describeThrough(target, broken))).toBe(code.unauthenticated)
  })
})

describe('what not even the owner may call', () => {
  const paths = [
    ...['RegisterNamespace', 'UpdateNamespace', 'DeprecateNamespace', 'DeleteNamespace', 'ListNamespaces'].flatMap(
      (name) => [
        `${workflowService}/${name}`,
        `${workflowService}/${name}?x=1`,
        `${workflowService}//${name}`,
        `/${workflowService}/${name}`,
        `${workflowService}/%55${name.slice(1)}`,
        `${workflowService.toUpperCase()}/${name}`,
        `${workflowService}/x/../${name}`,
      ],
    ),
    '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes',
    '/temporal.api.operatorservice.v1.OperatorService/AddSearchAttributes',
    '/temporal.api.operatorservice.v1.OperatorService/DeleteNamespace',
    '/temporal.api.operatorservice.v1.OperatorService/ListClusters',
    '/temporal.server.api.adminservice.v1.AdminService/DescribeCluster',
    '/temporal.server.api.adminservice.v1.AdminService/AddSearchAttributes',
    '/temporal.server.api.historyservice.v1.HistoryService/GetMutableState',
    '/temporal.api.nexusservices.workerservice.v1.WorkerService/ExecuteCommands',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    '/aqueduct/version',
    '/',
  ]

  test('services of operators, and methods that change namespaces', async () => {
    const message = service.UpdateNamespaceRequest.encode({ namespace: target.id }).finish()
    for (const credentials of [{ identity: victims }, { token: victim.api.token }]) {
      for (const path of paths) {
        const result = await outcome(edgeCall(target, credentials, path, message))
        expect([code.denied, code.unimplemented], path).toContain(result)
      }
    }
    expect(await outcome(edgeCall(target, { identity: victims }, '/grpc.health.v1.Health/Check', Buffer.of()))).toBe(0)
  })
})

/** Some requests have a field of that name with another meaning. */
function typeFits(field: { readonly type: string; readonly repeated: boolean } | undefined, name: string): boolean {
  if (field === undefined || field.repeated) return false
  return name === 'namespace' ? field.type === 'string' : field.type !== 'string'
}
