import { randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { listMovesToDo } from '#libs/store/moves'
import { createLogger } from '#libs/telemetry'
import { collectOrphanNamespaces } from '../../../apps/provisioner/collectors/orphan-namespaces.ts'
import { reconcileMove } from '../../../apps/provisioner/reconcilers/moves/reconcile.ts'
import { ownerKey } from '../../../apps/provisioner/reconcilers/namespaces/execute.ts'
import { reconcileNamespace } from '../../../apps/provisioner/reconcilers/namespaces/reconcile.ts'
import type { Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { CellError } from '../../../apps/provisioner/temporal/cell-client.ts'
import { FakeCellClient } from '../../../apps/provisioner/temporal/fake-cell-client.ts'
import { FakeCellReplication } from '../../../apps/provisioner/temporal/fake-cell-replication.ts'
import { openProvisionerDatabase, type ProvisionerDatabase } from '../../harness/provisioner-database.ts'

/** A move's row on real Postgres, between two cells in memory that lose calls and answers. */

const logger = createLogger('test', 'silent')
const name = 'payments.abcde'
let opened: ProvisionerDatabase
let admin: Client
let database: Database
let cells: Map<string, FakeCellClient>
let replicas: Map<string, FakeCellReplication>
let steps: string[]
/** What goes wrong at which outward call, counted from 0. */
let loss: { readonly at: number; readonly when: 'before' | 'after' } | undefined
let now: number

beforeAll(async () => {
  opened = await openProvisionerDatabase()
  ;({ admin, database } = opened)
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
})
afterAll(async () => {
  await opened[Symbol.asyncDispose]()
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
    // As the server does: it deletes its own copy, and tells no other cell.
    cell.deleteNamespace = async (namespace) => {
      const seen = replication.namespaces.get(namespace)
      if (seen === undefined) throw new CellError('not_found', namespace)
      if (seen.clusters.includes(cellId) && seen.active !== cellId) throw new CellError('invalid', 'it is passive here')
      replication.namespaces.delete(namespace)
      await deleted(namespace).catch(() => undefined)
    }
    cell.describeNamespace = async (namespace) => {
      if (!replication.namespaces.has(namespace)) throw new CellError('not_found', namespace)
      const data = { [ownerKey]: 'abcde' }
      return {
        id: namespace,
        name: namespace,
        state: 'registered',
        retentionDays: 1,
        description: '',
        aliases: {},
        data,
      }
    }
    cells.set(cellId, cell)
    replicas.set(cellId, replication)
  }
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state, served, cell_observed)
     values ($1, 'abcde', 'payments', 'aws-us-east-1', '{}', 'usr-1', 'cell-a', 'active', true, '{"kind": "present", "owner": "abcde", "retentionDays": 1}')`,
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

/** One pass of the namespace's own reconciler. */
const namespacePass = () =>
  reconcileNamespace(
    {
      database,
      sealer: sealer(randomBytes(32)),
      regions: [],
      namespaceLimit: 10,
      logger,
      outward,
      clock: { now: () => new Date(now) },
      cellClient: async (cellId) => cellOf(cellId),
      edge: {
        ensureCertificate: async () => undefined,
        awaitServing: async () => ({ kind: 'serving', generation: 1 }),
        awaitAbsence: async () => ({ kind: 'absent' }),
      },
      names: { targetOf: () => undefined, publish: async () => undefined, withdraw: async () => undefined },
    },
    name,
  )

test('a tenant may delete the namespace at any moment of its move: neither cell keeps a copy, and the move ends', async () => {
  const move = () => one('select state from moves')
  for (const state of ['connecting', 'replicating', 'handing_over', 'switching', 'leaving']) {
    for (const later of [0, 1, 2]) {
      await begin()
      const bringOn = async () => {
        await pass()
        await settleNamespace()
      }
      while ((await move()) !== state) await bringOn()
      for (let count = 0; count < later; count += 1) await bringOn()
      await admin.query("update namespaces set state = 'deleting', generation = generation + 1")
      const isOver = async () => (await one("select state from namespaces where state = 'deleted'")) !== undefined
      for (let count = 0; count < 30 && !((await isOver()) && (await pass()) === 'settled'); count += 1) {
        await namespacePass()
        await pass()
      }
      expect([state, later, await move()]).toEqual([state, later, expect.stringMatching(/^(done|aborted)$/)])
      expect(await one('select state from namespaces')).toBe('deleted')
      worldIs(undefined)
    }
  }
}, 60_000)

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

test('four of one cell are copied at a time, and those past the hand-over do not count', async () => {
  const proof = systemActor('test').authorize('move', 'list', { fleet: true })
  const add = (number: number, state: string) =>
    admin.query(
      `with made as (insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id, state)
         values ('n' || $1::text || '.abcde', 'abcde', 'n' || $1::text, 'aws-us-east-1', '{}', 'usr-1', 'cell-a', 'active') returning id)
       insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by, state)
       select 'move-n' || $1::text, id, 'cell-a', 'cell-b', 'grace', $2 from made`,
      [number, state],
    )
  await admin.query('truncate moves')
  for (let number = 1; number <= 6; number += 1) await add(number, number === 1 ? 'switching' : 'connecting')
  expect((await listMovesToDo(database.all, proof, 4)).toSorted()).toEqual(
    [1, 2, 3, 4, 5].map((number) => `move-n${number}`),
  )
})
