import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { collectOrphanNamespaces } from '../../../apps/provisioner/collectors/orphan-namespaces.ts'
import { reconcileMove } from '../../../apps/provisioner/reconcilers/moves/reconcile.ts'
import { ownerKey } from '../../../apps/provisioner/reconcilers/namespaces/execute.ts'
import type { Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { CellError } from '../../../apps/provisioner/temporal/cell-client.ts'
import { FakeCellClient } from '../../../apps/provisioner/temporal/fake-cell-client.ts'
import { FakeCellReplication } from '../../../apps/provisioner/temporal/fake-cell-replication.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

/** A move's row on real Postgres, between two cells in memory that lose calls and answers. */

const logger = createLogger('test', 'silent')
const name = 'payments.abcde'
let testDatabase: TestDatabase
let admin: Client
let database: Database
let cells: Map<string, FakeCellClient>
let replicas: Map<string, FakeCellReplication>
let steps: string[]
/** What goes wrong at which outward call, counted from 0. */
let loss: { readonly at: number; readonly when: 'before' | 'after' } | undefined
let now: number

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  database = new Database({
    url: testDatabase.roleUrl('aqueduct_provisioner'),
    poolSize: 3,
    applicationName: 'moves',
  })
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await database.close()
  await admin.end()
  await testDatabase.drop()
})
beforeEach(begin)

async function begin(): Promise<void> {
  await admin.query('truncate moves, operations, namespace_grants, namespaces, nodes, cells cascade')
  steps = []
  loss = undefined
  now = Date.now()
  cells = new Map()
  replicas = new Map()
  const world: FakeCellReplication[] = []
  for (const cellId of ['cell-a', 'cell-b']) {
    await admin.query(
      `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
       values ($1, 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', $1, 'x')`,
      [cellId],
    )
    const replication = new FakeCellReplication(cellId, world)
    const cell = new FakeCellClient()
    cell.replication = replication
    const deleted = cell.deleteNamespace.bind(cell)
    cell.deleteNamespace = async (namespace) => {
      if (!replication.namespaces.delete(namespace)) throw new CellError('not_found', namespace)
      await deleted(namespace).catch(() => undefined)
    }
    cells.set(cellId, cell)
    replicas.set(cellId, replication)
  }
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served, cell_observed)
     values ($1, 'abcde', 'payments', 'aws-us-east-1', '{}', 'usr-1', 'cell-a', 'active', true, '{"kind": "present"}')`,
    [name],
  )
  replicas.get('cell-a')?.namespaces.set(name, { clusters: ['cell-a'], active: 'cell-a' })
  await admin.query(
    "insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by) values ('move-1', $1, 'cell-a', 'cell-b', 'grace')",
    [name],
  )
}

const outward: Outward = async (step, call) => {
  steps.push(step)
  const here = loss?.at === steps.length - 1 ? loss.when : undefined
  if (here === 'before') throw new CellError('unavailable', 'lost on demand')
  const result = await call()
  if (here === 'after') throw new CellError('unavailable', 'the answer is lost on demand')
  return result
}
const cellOf = (cellId: string): FakeCellClient => {
  const cell = cells.get(cellId)
  if (cell === undefined) throw new Error(cellId)
  return cell
}
const pass = async (): Promise<string> => {
  // Time goes by between two passes.
  now += 6_000
  const next = await reconcileMove(
    {
      database,
      logger,
      outward,
      clock: { now: () => new Date(now) },
      cellClient: async (cellId) => cellOf(cellId),
      replicationAddress: async (cellId) => cellId,
      passOnMs: 10_000,
    },
    'move-1',
  )
  return next.kind
}
const one = async (sql: string): Promise<unknown> => Object.values((await admin.query(sql)).rows[0] ?? {})[0]
/** What the namespace's own reconciler would do. */
const settleNamespace = () =>
  admin.query(
    `update namespaces set state = case state when 'updating' then 'active' when 'deleting' then 'deleted' else state end
     where cell_id = 'cell-b'`,
  )

async function run(until = 60): Promise<string[]> {
  const states: string[] = []
  for (let count = 0; count < until; count += 1) {
    const next = await pass()
    await settleNamespace()
    const state = String(await one('select state from moves'))
    if (states.at(-1) !== state) states.push(state)
    if (next === 'settled') return states
  }
  throw new Error(`not settled after ${steps.join(' ')}: ${await one('select waiting_for from moves')}`)
}
const worldIs = (cellId: string | undefined) => {
  for (const [id, { namespaces }] of replicas) {
    expect([id, [...namespaces.values()]]).toEqual([id, id === cellId ? [{ clusters: [id], active: id }] : []])
  }
}

test('one step after the other, to its end', async () => {
  expect(await run()).toEqual(['connecting', 'replicating', 'handing_over', 'switching', 'leaving', 'done'])
  expect(steps).toEqual([
    ...['connect-cells', 'connect-cells', 'promote', 'join-target', 'copy-histories', 'hand-over'],
    ...['leave-source', 'delete-at-source', 'disconnect-cells', 'disconnect-cells'],
  ])
  worldIs('cell-b')
  expect(await one('select cell_id from namespaces')).toBe('cell-b')
  for (const replica of replicas.values()) expect(await replica.remotes()).toEqual([])
  expect(await pass()).toBe('settled')
})

test('every call and every answer is lost once, and every time it ends the same', async () => {
  await run()
  const calls = steps.length
  for (let at = 0; at < calls; at += 1) {
    for (const when of ['before', 'after'] as const) {
      await begin()
      loss = { at, when }
      await run()
      worldIs('cell-b')
      expect([at, when, await one('select cell_id from namespaces')]).toEqual([at, when, 'cell-b'])
    }
  }
}, 60_000)

test('aborted before the hand-over, it leaves everything as it was', async () => {
  for (let passes = 1; ; passes += 1) {
    await begin()
    for (let count = 0; count < passes; count += 1) await pass()
    if (!['connecting', 'replicating'].includes(String(await one('select state from moves')))) break
    await admin.query("update moves set abort_reason = 'a mistake'")
    expect((await run()).at(-1)).toBe('aborted')
    worldIs('cell-a')
    expect(await one('select cell_id from namespaces')).toBe('cell-a')
    expect(await one('select state from namespaces')).toBe('active')
  }
})

test('a tenant that deletes the namespace ends its move, before the hand-over and after it', async () => {
  await pass()
  await admin.query("update namespaces set state = 'deleting'")
  expect((await run()).at(-1)).toBe('aborted')
  worldIs('cell-a')
  await begin()
  while ((await one('select state from moves')) !== 'switching') await pass()
  await admin.query("update namespaces set state = 'deleting'")
  replicas.get('cell-b')?.namespaces.delete(name)
  for (const [, { namespaces }] of replicas) {
    const seen = namespaces.get(name)
    if (seen !== undefined) namespaces.set(name, { ...seen, clusters: ['cell-b'] })
  }
  expect((await run()).at(-1)).toBe('done')
  worldIs(undefined)
})

test('collectors take neither copy for an orphan while the move is open', async () => {
  for (const cell of cells.values()) {
    await cell.registerNamespace({ name, retentionDays: 1, description: '', data: { [ownerKey]: 'abcde' } })
  }
  const collect = () =>
    collectOrphanNamespaces({
      database,
      logger,
      outward: (_step, call) => call(),
      cellClient: async (id) => cellOf(id),
    })
  expect(await collect()).toBe(0)
  await admin.query("update moves set state = 'done', finished_at = now()")
  replicas.get('cell-b')?.namespaces.set(name, { clusters: [], active: '' })
  expect(await collect()).toBe(1)
})

test('a pass that slept through an abort does not hand over', async () => {
  while ((await one('select state from moves')) !== 'replicating') await pass()
  const copy = replicas.get('cell-a')
  if (copy === undefined) throw new Error('no cell')
  await pass()
  // It reads that everything is copied; before it writes what comes next, the operator aborts.
  const seen = copy.workState.bind(copy)
  copy.workState = async (id) => {
    await admin.query("update moves set abort_reason = 'a mistake'")
    return seen(id)
  }
  await pass()
  expect(await one('select state from moves')).toBe('replicating')
  copy.workState = seen
  expect((await run()).at(-1)).toBe('aborted')
  expect(steps).not.toContain('hand-over')
})
