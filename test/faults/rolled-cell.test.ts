import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { toolchain } from '../harness/toolchain.ts'
import { until } from '../harness/until.ts'
import { EdgeDoor } from './edge-door.ts'
import { MostNodes, type NodeLine, nodesOf } from './nodes.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { expectOk, operator, Tenant } from './tenant.ts'
import { Traffic } from './traffic.ts'

const patienceMs = 120_000
const region = 'aws-us-east-1'
/** The same server under another path, as a build of one's own. */
const again = '1.32.2+again'
/** It ends at once. */
const broken = '1.32.2+broken'

let folder: string
let product: ProductUnderFault
let tenant: Tenant
let door: EdgeDoor
let traffic: Traffic
/** Carries the workflows, and is the canary. */
let canary: string
let other: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aqueduct-releases-'))
  const { temporalServer, temporalSqlTool: sqlTool } = toolchain()
  for (const name of ['again', 'broken']) mkdirSync(join(folder, name))
  const [server, bad] = [join(folder, 'again/temporal-server'), join(folder, 'broken/temporal-server')]
  symlinkSync(temporalServer, server)
  writeFileSync(bad, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  product = await ProductUnderFault.start({
    AQUEDUCT_REGIONS: JSON.stringify([{ id: region, driver: 'local', cellSize: 'small' }]),
    AQUEDUCT_TEMPORAL_RELEASES: JSON.stringify({ [again]: { server, sqlTool }, [broken]: { server: bad, sqlTool } }),
  })
  tenant = await Tenant.join(product, 'worker@example.com')
  const certificate = await tenant.issueCertificate()
  const acceptedClientCa = Buffer.from(certificate.caCertificate).toString('base64')
  await tenant.fulfilled([await tenant.create('work', { mtlsAuth: { enabled: true, acceptedClientCa } })], patienceMs)
  canary = (await nodesOf(product))[0]?.cell ?? ''
  await until('the first cell is ready', async () => (await cellOf(canary)).nodes.length === 3, patienceMs)
  const made = await expectOk(operator(product, 'POST', '/operator/v1/cells', { region, size: 'dev' }))
  other = made.body.id
  await until('the second cell is ready', async () => (await cellOf(other)).state === 'ready', patienceMs)
  door = await EdgeDoor.open(product)
  traffic = await Traffic.start({
    edge: door.address,
    namespaceId: tenant.namespaceId('work'),
    hostname: `${tenant.namespaceId('work')}.aqueduct.localhost`,
    certificate,
    serverCa: readFileSync(product.addresses.caFile, 'utf8'),
  })
})

afterAll(async () => {
  await traffic?.close()
  await door?.close()
  await product?.stop()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  onTestFailed(() => product.keepData())
  // A permit to launch counts for a minute, for as long as its launch may be on its way: that minute is over.
  const admin = await product.admin()
  await admin.query("update nodes set launch_permitted_at = launch_permitted_at - interval '2 minutes'")
  await admin.end()
})

async function cellOf(id: string) {
  return (await expectOk(operator(product, 'GET', `/operator/v1/cells/${id}`))).body
}

async function rolledTo(serverVersion: string, nodeSeconds: number) {
  const { body } = await expectOk(
    operator(product, 'POST', '/operator/v1/rollouts', {
      region,
      serverVersion,
      canaryCellId: canary,
      soakSeconds: 2,
      nodeSeconds,
    }),
  )
  return until(
    'the rollout has ended',
    async () => {
      const shown = await expectOk(operator(product, 'GET', `/operator/v1/rollouts/${body.id}`))
      return shown.body.endedAt === undefined ? undefined : shown.body
    },
    patienceMs,
  )
}

/** What runs as the server on a node: its manifest names the program. */
function serverOn({ id }: NodeLine): string {
  const manifest = JSON.parse(readFileSync(join(product.data, 'nodes', id, 'manifest.json'), 'utf8'))
  return manifest.processes.find(({ name }: { name: string }) => name === 'temporal').command
}

async function workGoesOn(): Promise<void> {
  const before = traffic.completed
  await until('workflows are completed', () => traffic.completed >= before + 3, patienceMs)
}

test('a release whose servers end at once is halted at the canary and goes back, and workflows go on', async () => {
  await workGoesOn()
  const before = await nodesOf(product)
  const most = new MostNodes(product)
  const ended = await rolledTo(broken, 10)
  expect(ended).toMatchObject({ state: 'rolled_back', reason: expect.stringContaining(canary) })
  expect(ended.cells.map((cell: { cellId: string; progress: string }) => [cell.cellId, cell.progress])).toEqual(
    [
      [canary, 'reverted'],
      [other, 'waiting'],
    ].toSorted(),
  )
  expect(most.end()).toBe(before.length + 1)
  // Not one node of those that worked is another one.
  expect((await nodesOf(product)).map(({ id }) => id)).toEqual(before.map(({ id }) => id))
  await workGoesOn()
  expect(traffic.failures).toEqual([])
})

test('a good release comes to the canary, and after its soak to the other cell, while a workflow runs', async () => {
  const before = await nodesOf(product)
  const ended = await rolledTo(again, 60)
  expect(ended).toMatchObject({ state: 'done', reason: '' })
  const after = await nodesOf(product)
  expect(after).toHaveLength(before.length)
  expect(after.filter(({ id }) => before.some((node) => node.id === id))).toEqual([])
  expect(new Set(after.map(serverOn))).toEqual(new Set([join(folder, 'again/temporal-server')]))
  const order = after.map(({ cell }) => cell)
  expect(order.indexOf(other)).toBeGreaterThan(order.lastIndexOf(canary))
  await workGoesOn()
  expect(traffic.failures).toEqual([])
  expect(await traffic.end()).toBeGreaterThan(20)
})
