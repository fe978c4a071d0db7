import { resolve } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { Client as PostgresClient } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { systemClock } from '#libs/base'
import { createCertificateAuthority } from '#libs/pki'
import { sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { FakeDns } from '../../../apps/provisioner/dns/fake-dns.ts'
import { keptNames } from '../../../apps/provisioner/dns/kept-names.ts'
import { reconcileMove } from '../../../apps/provisioner/reconcilers/moves/reconcile.ts'
import { reconcileNamespace } from '../../../apps/provisioner/reconcilers/namespaces/reconcile.ts'
import type { Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { GrpcCellClient } from '../../../apps/provisioner/temporal/grpc-cell-client.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../harness/provisioner-database.ts'
import { type CellUnderTest, cellToken, internodeIdentity, prepareCell } from './cell-under-test.ts'

/** A namespace goes from one real cell to another, while a workflow runs in it and a worker stays where it is. */

const namespaceId = 'payments.abcde'
const domain = 'aqueduct.example.com'
const logger = createLogger('test', 'silent')
const steps: string[] = []
const cells: CellUnderTest[] = []
let root: Awaited<ReturnType<typeof createCertificateAuthority>>
const clients = new Map<string, GrpcCellClient>()
const toClose: (() => Promise<void>)[] = []
const dns = new FakeDns()
let opened: ProvisionerDatabase
let database: Database
let admin: PostgresClient

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  root = await createCertificateAuthority({ commonName: 'Nodes', validityDays: 1 })
  const begun = [await startCell(1), await startCell(2)]
  await Promise.all(begun.map(({ ready }) => ready()))
}, 120_000)
afterAll(async () => {
  for (const close of toClose.toReversed()) await close()
  for (const client of clients.values()) client.close()
  for (const cell of cells) await cell.dispose()
  await opened[Symbol.asyncDispose]()
}, 60_000)

async function startCell(failoverVersion: number) {
  const cell = await prepareCell({ internode: await internodeIdentity(`cell-${failoverVersion}`, root) })
  cells.push(cell)
  const cluster = { name: cell.cellId, failoverVersion }
  await cell.driver.configure(cell.manifest(1, { cluster }))
  const token = () => cellToken(cell.signingKey, ['temporal-system:admin'])
  const client = new GrpcCellClient({ target: cell.frontend, token })
  clients.set(cell.cellId, client)
  await admin.query(
    `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed, name_observed)
     values ($1, 'aws-us-east-1', 'local', 'ready', 10, 64, '1.32.2', $2, 'x', '{"kind": "present", "values": ["203.0.113.1"]}')`,
    [cell.cellId, `db_${failoverVersion}`],
  )
  const ready = () => vi.waitFor(() => client.health(), { timeout: 60_000, interval: 100 })
  return { cell, ready, cluster }
}

const clientOf = (cellId: string): GrpcCellClient => {
  const client = clients.get(cellId)
  if (client === undefined) throw new Error(`no cell ${cellId}`)
  return client
}
const outward: Outward = (step, call) => {
  steps.push(step)
  return call()
}
const one = async (sql: string): Promise<unknown> => Object.values((await admin.query(sql)).rows[0] ?? {})[0]

function pass(moveId: string) {
  return reconcileMove(
    {
      database,
      clock: systemClock,
      logger,
      outward,
      cellClient: async (cellId) => clientOf(cellId),
      replicationAddress: async (cellId) => cells.find((cell) => cell.cellId === cellId)?.internalFrontend,
      passOnMs: 3_000,
    },
    moveId,
  )
}

function passNamespace() {
  return reconcileNamespace(
    {
      database,
      logger,
      outward,
      sealer: sealer(Buffer.from(testMasterKey)),
      clock: systemClock,
      cellClient: async (cellId) => clientOf(cellId),
      edge: {
        ensureCertificate: async () => undefined,
        awaitServing: async (_cell, _namespace, generation) => ({ kind: 'serving', generation }),
        awaitAbsence: async () => ({ kind: 'absent' }),
      },
      names: keptNames(() => dns, domain),
      regions: [],
      namespaceLimit: 10,
    },
    namespaceId,
  )
}

async function connected(cell: CellUnderTest): Promise<Client> {
  // What a tenant has: the namespace's own token, on a connection that stays.
  const authorization = `Bearer ${await cellToken(cell.signingKey, [`${namespaceId}:write`], '30m')}`
  const connection = await Connection.connect({ address: cell.frontend, metadata: { authorization } })
  toClose.push(() => connection.close())
  return new Client({ connection, namespace: namespaceId })
}

async function work(cell: CellUnderTest): Promise<() => Promise<void>> {
  const authorization = `Bearer ${await cellToken(cell.signingKey, [`${namespaceId}:write`], '30m')}`
  const connection = await NativeConnection.connect({ address: cell.frontend, metadata: { authorization } })
  const worker = await Worker.create({
    connection,
    namespace: namespaceId,
    taskQueue: 'orders',
    workflowsPath: resolve(import.meta.dirname, '../../faults/workflows.ts'),
    activities: { add: async (a: number, b: number) => a + b },
  })
  const running = worker.run()
  const stop = async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown()
    await running
    await connection.close()
  }
  return stop
}

async function found(client: Client, query: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId)
  return ids.sort()
}

test('workflows go on, histories and visibility come along, and nothing is left behind', async () => {
  const [source, target] = cells
  if (source === undefined || target === undefined) throw new Error('two cells')
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id)
     values ($1, 'abcde', 'payments', 'aws-us-east-1', $2, 'usr-1', $3)`,
    [
      namespaceId,
      { retentionDays: 3, searchAttributes: { Customer: { type: 'Keyword', column: 'Keyword07' } } },
      source.cellId,
    ],
  )
  await vi.waitFor(
    async () => {
      await passNamespace()
      expect(await one('select state from namespaces')).toBe('active')
    },
    { timeout: 20_000, interval: 200 },
  )
  const before = await connected(source)
  const stopBefore = await work(source)
  const counting = await before.workflow.start('count', {
    workflowId: 'counts',
    taskQueue: 'orders',
    searchAttributes: { Customer: ['acme'] },
  })
  await before.workflow.execute('sum', { workflowId: 'closed', taskQueue: 'orders', args: [1, 2] })

  // Without a move, neither cell lets the other in.
  for (const [cell, other] of [
    [source, target],
    [target, source],
  ] as const) {
    const strangers = clientOf(cell.cellId).replication.addRemote(other.internalFrontend)
    // It depends on who is first whether the reason is still read, or the connection is gone while something is written.
    await expect(strangers).rejects.toThrow(/unknown certificate authority|broken pipe|connection reset by peer/)
  }
  // The nodes learn whom to trust without being started anew, as they do when their manifests follow the move's row.
  for (const [cell, other, failoverVersion] of [
    [source, target, 1],
    [target, source, 2],
  ] as const) {
    const internode = { ...cell.input.internode, peers: [other.input.internode.ca] }
    const cluster = { name: cell.cellId, failoverVersion }
    await cell.driver.configure(cell.manifest(2, { internode, cluster }))
  }
  await admin.query(
    "insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by) values ('move-1', $1, $2, $3, 'grace')",
    [namespaceId, source.cellId, target.cellId],
  )
  const states: unknown[] = []
  await vi.waitFor(
    async () => {
      const next = await pass('move-1')
      const state = await one('select state from moves')
      if (states.at(-1) !== state) states.push(state)
      if (state === 'switching') await passNamespace()
      if (next.kind !== 'settled') throw new Error(String(await one('select waiting_for from moves')))
    },
    { timeout: 120_000, interval: 250 },
  )
  expect(states).toEqual(['connecting', 'replicating', 'handing_over', 'switching', 'leaving', 'done'])
  expect(await one('select cell_id from namespaces')).toBe(target.cellId)
  expect(dns.lookup(`${namespaceId}.${domain}`)?.values).toEqual([`${target.cellId}.cells.${domain}`])

  await stopBefore()
  const after = await connected(target)
  toClose.push(await work(target))
  await after.workflow.getHandle('counts').signal('finish')
  expect(await after.workflow.getHandle('counts').result()).toBeGreaterThan(5)
  expect(await after.workflow.getHandle('closed').result()).toBe(3)
  expect((await after.workflow.getHandle('counts').describe()).runId).toBe(counting.firstExecutionRunId)
  expect(await found(after, "Customer = 'acme'")).toEqual(['counts'])
  expect(await after.workflow.execute('sum', { workflowId: 'new', taskQueue: 'orders', args: [2, 2] })).toBe(4)
  await nothingLeft(source)
}, 300_000)

/** Neither in the cell's database, nor in what it says. */
async function nothingLeft(cell: CellUnderTest): Promise<void> {
  expect(await clientOf(cell.cellId).listNamespaces()).toEqual([])
  expect(await clientOf(cell.cellId).replication.remotes()).toMatchObject([{ name: cell.cellId }])
  const { host, port, user, password } = cell.input.database
  for (const [name, sql] of [
    [
      cell.input.database.visibilityName,
      "select count(*)::int from executions_visibility where workflow_id in ('counts', 'closed')",
    ],
    [cell.input.database.name, "select count(*)::int from executions where workflow_id in ('counts', 'closed')"],
  ] as const) {
    const pg = new PostgresClient({ host, port, user, password, database: name })
    await pg.connect()
    await vi.waitFor(async () => expect((await pg.query(sql)).rows).toEqual([{ count: 0 }]), {
      timeout: 60_000,
      interval: 500,
    })
    await pg.end()
  }
}
