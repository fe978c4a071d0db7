import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { isRunning, type ProcessIdentity } from '#libs/processes'
import { until } from '../harness/until.ts'
import { ApiLoad } from './api-load.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { type ClientCertificate, expectOk, operator, Tenant } from './tenant.ts'
import { type Failure, Traffic } from './traffic.ts'
import { expectRowsToEqualWorld } from './world.ts'

const parts = ['edge', 'provisioner', 'api'] as const
/** Milliseconds that the control plane is gone. */
const outageMs = 60_000
/** Milliseconds for what takes seconds on a machine that has nothing else to do. */
const patienceMs = 60_000

let product: ProductUnderFault
let tenant: Tenant
let certificate: ClientCertificate
let node: { readonly id: string; readonly address: string }
let traffic: Traffic

beforeAll(async () => {
  product = await ProductUnderFault.start()
  tenant = await Tenant.join(product, 'worker@example.com')
  certificate = await tenant.issueCertificate()
  const acceptedClientCa = Buffer.from(certificate.caCertificate).toString('base64')
  await tenant.fulfilled([await tenant.create('work', { mtlsAuth: { enabled: true, acceptedClientCa } })])
  node = (await expectOk(operator(product, 'GET', '/operator/v1/nodes'))).body.nodes[0]
  traffic = await Traffic.start({
    edge: `${node.address}:7233`,
    namespaceId: tenant.namespaceId('work'),
    hostname: `${tenant.namespaceId('work')}.aqueduct.localhost`,
    certificate,
    serverCa: readFileSync(product.addresses.caFile, 'utf8'),
  })
  await workGoesOn()
})

afterAll(async () => {
  await traffic?.close()
  await product?.stop()
})

beforeEach(() => {
  onTestFailed(() => product.keepData())
  traffic.failures.length = 0
  traffic.rawFailures.length = 0
})

/** Failures that did not happen between two moments. */
function outside(failures: readonly Failure[], from: number, to: number): readonly Failure[] {
  return failures.filter((failure) => failure.to < from || failure.from > to)
}

/** Work goes on: three short workflows more were completed. */
async function workGoesOn(): Promise<void> {
  const before = traffic.completed
  await until('workflows are completed again', () => traffic.completed >= before + 3, patienceMs)
}

/** The node's program was started again, and is ready. */
async function anotherThan(name: 'envoy' | 'temporal', before: ProcessIdentity | undefined): Promise<void> {
  await until(
    `another ${name} runs`,
    async () => {
      const now = await product.program(node.id, name)
      return now !== undefined && now.pid !== before?.pid
    },
    patienceMs,
  )
}

test('Envoy is killed: it is back within seconds, and the SDK bridges that by itself', async () => {
  const before = await product.program(node.id, 'envoy')
  const killed = performance.now()
  await product.kill(before)
  await anotherThan('envoy', before)
  await workGoesOn()
  expect(traffic.failures).toEqual([])
  expect(outside(traffic.rawFailures, killed, killed + 5_000)).toEqual([])
})

test('temporal-server is killed: it is started again, and its workflows go on', async () => {
  const before = await product.program(node.id, 'temporal')
  const killed = performance.now()
  await product.kill(before)
  await anotherThan('temporal', before)
  await workGoesOn()
  expect(traffic.failures).toEqual([])
  expect(outside(traffic.rawFailures, killed, killed + 10_000)).toEqual([])
})

test('Postgres is restarted under load, in order and then by a kill: callers are told to try again, and all goes on', async () => {
  const processes = await Promise.all(parts.map((part) => product.part(part)))
  const load = new ApiLoad(tenant, 'work')
  const operations: string[] = []
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const names = Array.from({ length: 8 }, (_, index) => `${signal.toLowerCase()}-${index}`)
    operations.push(...(await Promise.all(names.map((name) => tenant.create(name)))))
    const before = product.postgres()
    product.signal(before, signal)
    await until(
      'another Postgres serves',
      async () => {
        const now = product.postgres()
        if (now === undefined || now.pid === before?.pid) return false
        return (await tenant.call('GET', '/cloud/namespaces')).status === 200
      },
      patienceMs,
    )
  }
  await tenant.fulfilled(operations)
  await workGoesOn()
  const outcomes = await load.end()
  expect(outcomes.others).toEqual([])
  expect(outcomes.unavailable).toBeGreaterThan(0)
  // None of them died of it, and the SDK bridged it.
  expect(await Promise.all(parts.map((part) => product.part(part)))).toEqual(processes)
  expect(traffic.failures).toEqual([])
  await expectRowsToEqualWorld(product)
})

test('the control plane is gone for a minute: no call fails, although Envoy starts anew, and then changes act again', async () => {
  const killedParts = await Promise.all(parts.map((part) => product.part(part)))
  const launcher = await product.part('launcher')
  // A launcher that stands still starts nothing again.
  product.signal(launcher, 'SIGSTOP')
  try {
    const began = performance.now()
    for (const part of killedParts) await product.kill(part)
    await expect(tenant.call('GET', '/cloud/namespaces')).rejects.toThrow()
    await workGoesOn()
    const envoy = await product.program(node.id, 'envoy')
    const envoyKilled = performance.now()
    await product.kill(envoy)
    await anotherThan('envoy', envoy)
    const completed = traffic.completed
    await delay(began + outageMs - performance.now())
    expect(traffic.completed).toBeGreaterThan(completed + outageMs / 2 / 1000)
    expect(traffic.failures).toEqual([])
    expect(outside(traffic.rawFailures, envoyKilled, envoyKilled + 5_000)).toEqual([])
    expect(killedParts.some((part) => part !== undefined && isRunning(part))).toBe(false)
  } finally {
    product.signal(launcher, 'SIGCONT')
  }
  await until(
    'the API answers again',
    async () => {
      const answer = await tenant.call('GET', '/cloud/namespaces').catch(() => undefined)
      return answer?.status === 200
    },
    patienceMs,
  )
  await tenant.fulfilled([await tenant.create('after-outage')])
  await expectRowsToEqualWorld(product)
})

test('the launcher is killed and started again: everything is as it was, and the nodes were not disturbed', async () => {
  const read = async () => ({
    namespaces: (await expectOk(tenant.call('GET', '/cloud/namespaces'))).body.namespaces,
    nodes: (await expectOk(operator(product, 'GET', '/operator/v1/nodes'))).body.nodes.map(
      ({ id, address }: Record<string, unknown>) => ({ id, address }),
    ),
    certificates: (await expectOk(operator(product, 'GET', `/operator/v1/certificates?tenantId=${tenant.id}`))).body,
    ca: readFileSync(product.addresses.caFile, 'utf8'),
    agent: await product.program(node.id, 'agent'),
    temporal: await product.program(node.id, 'temporal'),
    envoy: await product.program(node.id, 'envoy'),
  })
  const before = await read()
  await product.killLauncher()
  await product.startAgain()
  await workGoesOn()
  await tenant.fulfilled([await tenant.create('after-restart')])
  await tenant.fulfilled([await tenant.delete('after-restart')])
  expect(await read()).toEqual(before)
  await expectRowsToEqualWorld(product)
})

test('the workflow that ran through all of it comes to its end', async () => {
  expect(await traffic.end()).toBeGreaterThan(30)
})
