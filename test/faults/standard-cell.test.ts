import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, Connection } from '@temporalio/client'
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus'
import { NativeConnection, Worker } from '@temporalio/worker'
import { serviceHandler } from 'nexus-rpc'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { slotsOf } from '#libs/domain/cells'
import { hasEdge, hasNexusRouter, servicesOf } from '#libs/domain/nodes'
import { greeter } from '../acceptance/nexus-service.ts'
import type { callOperation, greetFromHandler } from '../acceptance/nexus-workflows.ts'
import { until } from '../harness/until.ts'
import { EdgeDoor } from './edge-door.ts'
import { type NodeLine, nodesOf } from './nodes.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { type ClientCertificate, expectOk, Tenant } from './tenant.ts'
import { Traffic } from './traffic.ts'

/** Twelve nodes with twelve servers and six Envoys on one machine: minutes on two cores. */
const patienceMs = 170_000
const standard = [{ id: 'aws-us-east-1', driver: 'local', cellSize: 'standard' }]

let product: ProductUnderFault
let tenant: Tenant
let certificate: ClientCertificate

beforeAll(async () => {
  product = await ProductUnderFault.start({ AQUEDUCT_REGIONS: JSON.stringify(standard) })
  tenant = await Tenant.join(product, 'worker@example.com')
  certificate = await tenant.issueCertificate()
  const acceptedClientCa = Buffer.from(certificate.caCertificate).toString('base64')
  await tenant.fulfilled([await tenant.create('work', { mtlsAuth: { enabled: true, acceptedClientCa } })], patienceMs)
})

afterAll(async () => {
  await product?.stop()
})

function manifestOf(node: NodeLine) {
  return JSON.parse(readFileSync(join(product.data, 'nodes', node.id, 'manifest.json'), 'utf8')) as {
    readonly processes: readonly { readonly name: string; readonly args: readonly string[] }[]
    readonly files: readonly { readonly path: string; readonly content: string }[]
  }
}

test('a workflow calls a Nexus operation, although no node has both history and a frontend', async () => {
  onTestFailed(() => product.keepData())
  const namespace = tenant.namespaceId('work')
  const spec = {
    name: 'greeter',
    targetSpec: { workerTargetSpec: { namespaceId: namespace, taskQueue: 'nexus' } },
    policySpecs: [{ allowedCloudNamespacePolicySpec: { namespaceId: namespace } }],
  }
  const created = await expectOk(tenant.call('POST', '/cloud/nexus/endpoints', { spec }))
  await tenant.fulfilled([created.body.asyncOperation.id])
  const door = await EdgeDoor.open(product)
  const connectionOptions = {
    address: door.address,
    tls: {
      serverNameOverride: `${namespace}.aqueduct.localhost`,
      serverRootCACertificate: Buffer.from(readFileSync(product.addresses.caFile, 'utf8')),
      clientCertPair: { crt: Buffer.from(certificate.certificate), key: Buffer.from(certificate.privateKey) },
    },
  }
  const native = await NativeConnection.connect(connectionOptions)
  const connection = await Connection.connect(connectionOptions)
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: 'nexus',
    workflowsPath: fileURLToPath(new URL('../acceptance/nexus-workflows.ts', import.meta.url)),
    nexusServices: [
      serviceHandler(greeter, {
        sync: async (_context, name) => `Hello ${name}`,
        async: new WorkflowRunOperationHandler<string, string>((context, name) =>
          startWorkflow<typeof greetFromHandler>(context, 'greetFromHandler', {
            workflowId: context.requestId,
            args: [name],
          }),
        ),
        patient: async () => 'never asked',
      }),
    ],
  })
  const running = worker.run()
  try {
    const client = new Client({ connection, namespace })
    const call = (operation: 'sync' | 'async') =>
      client.workflow.execute<typeof callOperation>('callOperation', {
        taskQueue: 'nexus',
        workflowId: operation,
        args: [{ endpoint: 'greeter', operation, name: 'you' }],
      })
    expect(await call('sync')).toBe('Hello you')
    // Its completion comes back over the handler's own history service.
    expect(await call('async')).toBe(`Hello you, from ${namespace}, later`)
  } finally {
    worker.shutdown()
    await running
    await connection.close()
    await native.close()
    await door.close()
  }
})

test('twelve nodes do one thing each, and carry a workflow together', async () => {
  onTestFailed(() => product.keepData())
  const nodes = await nodesOf(product)
  expect(nodes.map(({ slot, state }) => `${slot} ${state}`).toSorted()).toEqual(
    slotsOf('standard')
      .map(({ id }) => `${id} ready`)
      .toSorted(),
  )
  for (const node of nodes) {
    const { processes, files } = manifestOf(node)
    const services = processes
      .filter(({ name }) => name === 'temporal')
      .flatMap(({ args }) => args.filter((_, index) => args[index - 1] === '--service'))
    expect(services, node.slot).toEqual(servicesOf(node.role))
    expect(
      processes.some(({ name }) => name === 'envoy'),
      node.slot,
    ).toBe(hasEdge(node.role) || hasNexusRouter(node.role))
    // Tenants' keys and the database's password are each where they are needed, and nowhere else.
    const listeners = join(product.data, 'nodes', node.id, 'edge/lds.json')
    const holdsTenants = existsSync(listeners) && readFileSync(listeners, 'utf8').includes(tenant.id)
    expect(holdsTenants, node.slot).toBe(hasEdge(node.role))
    const knowsPassword = files.some(({ content }) => content.includes('"connectAddr"'))
    expect(knowsPassword, node.slot).toBe(servicesOf(node.role).length > 0)
  }
  const door = await EdgeDoor.open(product)
  const traffic = await Traffic.start({
    edge: door.address,
    namespaceId: tenant.namespaceId('work'),
    hostname: `${tenant.namespaceId('work')}.aqueduct.localhost`,
    certificate,
    serverCa: readFileSync(product.addresses.caFile, 'utf8'),
  })
  try {
    await until('workflows are completed', () => traffic.completed >= 10, patienceMs)
    expect(traffic.failures).toEqual([])
    // How far it came depends on the machine; that it came to its end does not.
    expect(await traffic.end()).toBeGreaterThan(0)
  } finally {
    await traffic.close()
    await door.close()
  }
})
