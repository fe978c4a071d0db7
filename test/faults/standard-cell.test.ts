import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { slotsOf } from '#libs/domain/cells'
import { hasEdge, hasNexusRouter, servicesOf } from '#libs/domain/nodes'
import { until } from '../harness/until.ts'
import { EdgeDoor } from './edge-door.ts'
import { type NodeLine, nodesOf } from './nodes.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { type ClientCertificate, Tenant } from './tenant.ts'
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
    expect(await traffic.end()).toBeGreaterThan(3)
  } finally {
    await traffic.close()
    await door.close()
  }
})
