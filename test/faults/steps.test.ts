import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { listUnsettled } from '#libs/store/namespaces'
import { createLogger } from '#libs/telemetry'
import { failOverdueOperations } from '../../apps/provisioner/collectors/overdue-operations.ts'
import { FakeDns } from '../../apps/provisioner/dns/fake-dns.ts'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'
import { SmallWorld } from './small-world.ts'

let testDatabase: TestDatabase
let admin: Client
let world: SmallWorld

beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  world = new SmallWorld(testDatabase)
})
afterEach(async () => {
  await world.database.close()
  await admin.end()
  await testDatabase.drop()
})

async function ask(name: string): Promise<void> {
  const searchAttributes = { Customer: { type: 'Keyword', column: 'Keyword01' } }
  const spec = { name, regions: ['aws-us-east-1'], retentionDays: 3, searchAttributes }
  await admin.query(
    "insert into namespaces (id, tenant_id, name, region, spec, created_by) values ($1, 'abcde', $2, 'aws-us-east-1', $3, 'usr-1')",
    [`${name}.abcde`, name, spec],
  )
  await operation(name, 1)
}

async function change(name: string, retentionDays: number): Promise<void> {
  await admin.query(
    `update namespaces set spec = jsonb_set(spec, '{retentionDays}', $2::jsonb), state = 'updating', generation = generation + 1
     where name = $1`,
    [name, String(retentionDays)],
  )
  await operation(name, 2)
}

/** Another name for the first attribute, one more under its old name, a capacity of its own, and fairness. */
async function changeAll(name: string, generation: number): Promise<void> {
  const spec = {
    searchAttributes: {
      Buyer: { type: 'Keyword', column: 'Keyword01' },
      Customer: { type: 'Keyword', column: 'Keyword02' },
    },
    capacity: { mode: 'provisioned', units: 2 },
    fairness: { taskQueueFairness: true },
  }
  const request = { capacity: spec.capacity, operationId: `${name}-${generation}`, startedAt: '2026-01-02T03:04:05Z' }
  await admin.query(
    `update namespaces set spec = spec || $2::jsonb, state = 'updating', generation = generation + 1,
       capacity_status = jsonb_build_object('request', $3::jsonb) where name = $1`,
    [name, spec, request],
  )
  await operation(name, generation)
}

async function remove(name: string, generation: number): Promise<void> {
  await admin.query("update namespaces set state = 'deleting', generation = generation + 1 where name = $1", [name])
  await operation(name, generation)
}

async function operation(name: string, generation: number): Promise<void> {
  await admin.query(
    `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state, requested_by, deadline_at)
     values ('abcde', $1, 'Rpc', '', '', 'namespace', $2, $3, 'pending', 'usr-1', now() + interval '1 hour')`,
    [`${name}-${generation}`, `${name}.abcde`, generation],
  )
}

async function operations(): Promise<unknown[]> {
  const { rows } = await admin.query('select id, state, failure_reason from operations order by id')
  return rows
}

/** Rows equal world: each live row has exactly one namespace on the cell, one node and one pair of databases, and nothing else exists. */
async function expectRowsToEqualWorld(): Promise<void> {
  const { rows: live } = await admin.query(
    `select id, (spec->>'retentionDays')::int as days, state,
       (select jsonb_object_agg(value->>'column', key) from jsonb_each(spec->'searchAttributes')) as aliases
     from namespaces where state <> 'deleted' order by id`,
  )
  const onCell = await world.cell.listNamespaces()
  expect(
    onCell
      .map(({ name, retentionDays, aliases }) => ({ id: name, days: retentionDays, state: 'active', aliases }))
      .sort(byId),
  ).toEqual(live)
  const { rows: nodes } = await admin.query("select id from nodes where state = 'ready' order by id")
  expect((await world.driver.list()).map((node) => ({ id: node.nodeId })).sort(byId)).toEqual(nodes)
  const { rows: cells } = await admin.query("select id from cells where state = 'ready' order by id")
  expect([...world.databases].map((id) => ({ id })).sort(byId)).toEqual(cells)
}

/** What the node's servers read of the namespace payments. */
async function expectNodeToHold(limits: { requestsPerSecond?: number; fairness?: boolean }): Promise<void> {
  const [node] = await world.driver.list()
  const files = world.driver.manifest(node?.nodeId ?? '')?.files ?? []
  const config = JSON.parse(files.find((file) => file.path === 'config/dynamic.json')?.content ?? '{}')
  const held = (key: string) =>
    config[key].find(
      (one: { constraints?: { namespace: string }; value: unknown }) => one.constraints?.namespace === 'payments.abcde',
    )?.value
  expect(held('frontend.globalNamespaceRPS')).toBe(limits.requestsPerSecond)
  expect(held('matching.enableFairness')).toBe(limits.fairness)
}

function byId(one: { id: string }, other: { id: string }): number {
  return one.id < other.id ? -1 : 1
}

const creation = [
  'create-databases',
  'get-node',
  'launch-node',
  'configure-node',
  'expose-node',
  'confirm-answering',
  'register',
  'set-aliases',
  'serve-at-edge',
]
const deletion = ['describe', 'remove-from-edge', 'delete-from-cell']
const both = (steps: readonly string[]) =>
  steps.flatMap((step) => [
    { step, when: 'before' as const },
    { step, when: 'after' as const },
  ])

describe('a provisioner that is lost before and after each outward call', () => {
  test.each(both(creation))('creates all the same: $when $step', async (loss) => {
    await ask('payments')
    world.loss = loss
    await world.settle()
    expect(world.loss).toBeUndefined()
    expect(await operations()).toEqual([{ id: 'payments-1', state: 'fulfilled', failure_reason: '' }])
    await expectRowsToEqualWorld()
  })

  test.each(both(['publish-cell-name', 'publish-name', 'withdraw-name']))(
    'names all the same: $when $step',
    async (loss) => {
      const dns = new FakeDns()
      world.dns = dns
      await ask('payments')
      if (loss.step !== 'withdraw-name') world.loss = loss
      await world.settle()
      expect(dns.lookup('payments.abcde.example.com')?.values).toEqual([
        expect.stringMatching(/^cell-.*cells\.example\.com$/),
      ])
      world.loss = loss.step === 'withdraw-name' ? loss : undefined
      await remove('payments', 2)
      await world.settle()
      expect(world.loss).toBeUndefined()
      expect(dns.lookup('payments.abcde.example.com')).toBeUndefined()
    },
  )

  test.each(both(['update-retention', 'serve-at-edge']))('updates all the same: $when $step', async (loss) => {
    await ask('payments')
    await world.settle()
    await change('payments', 30)
    world.loss = loss
    await world.settle()
    expect(world.loss).toBeUndefined()
    expect(await operations()).toMatchObject([{ state: 'fulfilled' }, { state: 'fulfilled' }])
    await expectRowsToEqualWorld()
  })

  test.each(both(['drop-aliases', 'set-aliases', 'get-node', 'configure-node', 'serve-at-edge']))(
    'renames and limits all the same: $when $step',
    async (loss) => {
      await ask('payments')
      await world.settle()
      await changeAll('payments', 2)
      world.loss = loss
      await world.settle()
      expect(world.loss).toBeUndefined()
      expect(await operations()).toMatchObject([{ state: 'fulfilled' }, { state: 'fulfilled' }])
      await expectRowsToEqualWorld()
      await expectNodeToHold({ requestsPerSecond: 4_000, fairness: true })
    },
  )

  test.each(both(deletion))('deletes all the same: $when $step', async (loss) => {
    await ask('payments')
    await world.settle()
    await remove('payments', 2)
    world.loss = loss
    await world.settle()
    expect(world.loss).toBeUndefined()
    expect(await operations()).toMatchObject([{ state: 'fulfilled' }, { state: 'fulfilled' }])
    expect(await world.cell.listNamespaces()).toEqual([])
    await expectRowsToEqualWorld()
  })
})

test('every step has a loss before and after it above', async () => {
  await ask('payments')
  await world.settle()
  await change('payments', 30)
  await world.settle()
  await changeAll('payments', 3)
  await world.settle()
  await remove('payments', 4)
  await world.settle()
  const tried = new Set([...creation, ...deletion, 'update-retention', 'drop-aliases'])
  expect([...new Set(world.steps)].filter((step) => !tried.has(step))).toEqual([])
})

test('a lost answer of RegisterNamespace is found out, and the name is taken as ours', async () => {
  await ask('payments')
  world.cell.loseNextAnswer('registerNamespace')
  await world.settle()
  expect(world.cell.calls.filter((call) => call.method === 'registerNamespace')).toHaveLength(2)
  expect(await operations()).toEqual([{ id: 'payments-1', state: 'fulfilled', failure_reason: '' }])
})

test('a name that somebody else has on the cell fails the operation with a reason, and stays theirs', async () => {
  await world.cell.registerNamespace({ name: 'payments.abcde', retentionDays: 1, description: '', data: {} })
  await ask('payments')
  await world.settle()
  expect(await operations()).toEqual([
    {
      id: 'payments-1',
      state: 'failed',
      failure_reason: 'the cell has a namespace payments.abcde that belongs to somebody else',
    },
  ])
  expect(await world.cell.listNamespaces()).toMatchObject([{ name: 'payments.abcde', data: {} }])
})

test('the first namespace of a region makes its cell, and a full cell makes the next', async () => {
  for (const name of ['one', 'two', 'three']) await ask(name)
  await world.settle()
  const { rows } = await admin.query('select count(*)::int as namespaces from namespaces group by cell_id order by 1')
  expect(rows).toEqual([{ namespaces: 1 }, { namespaces: 2 }])
  await expectRowsToEqualWorld()
})

test('one namespace that cannot be made holds no other up', async () => {
  await world.cell.registerNamespace({ name: 'poison.abcde', retentionDays: 1, description: '', data: {} })
  await ask('poison')
  await ask('sound')
  await world.settle()
  expect(await operations()).toMatchObject([
    { id: 'poison-1', state: 'failed' },
    { id: 'sound-1', state: 'fulfilled' },
  ])
})

test('a pass that slept through a change of intent writes nothing any more', async () => {
  await ask('payments')
  await world.settle()
  await change('payments', 30)
  world.loss = { step: 'update-retention', when: 'after' }
  expect(await world.pass('payments.abcde')).toBe('lost')
  await remove('payments', 3)
  await world.settle()
  const { rows } = await admin.query('select state from namespaces')
  expect(rows).toEqual([{ state: 'deleted' }])
  expect(await operations()).toMatchObject([{ state: 'fulfilled' }, { state: 'fulfilled' }, { state: 'fulfilled' }])
})

test('nodes get a new manifest when a setting in it changes, and only then', async () => {
  await ask('payments')
  await world.settle()
  const [node] = await world.driver.list()
  const nodeId = node?.nodeId ?? ''
  await world.passNode(nodeId)
  expect(world.driver.manifest(nodeId)?.generation).toBe(1)
  world.discoveryUrl = 'https://moved.test:2'
  for (let pass = 0; pass < 3; pass += 1) await world.passNode(nodeId)
  expect(world.driver.manifest(nodeId)).toMatchObject({ generation: 2, edge: { url: 'https://moved.test:2' } })
  expect(await world.driver.list()).toHaveLength(1)
})

test('limits of many namespaces that change at once are one manifest, and each is told when it acts', async () => {
  await ask('one')
  await ask('two')
  await world.settle()
  const [node] = await world.driver.list()
  const generation = async () => world.driver.manifest(node?.nodeId ?? '')?.generation ?? 0
  const before = await generation()
  await changeAll('one', 2)
  await changeAll('two', 2)
  // Both ask, and then the node comes to it.
  for (const name of ['one', 'two']) await world.pass(`${name}.abcde`)
  expect(await operations()).toMatchObject([
    { id: 'one-1', state: 'fulfilled' },
    { id: 'one-2', state: 'in_progress' },
    { id: 'two-1', state: 'fulfilled' },
    { id: 'two-2', state: 'in_progress' },
  ])
  await world.settle()
  expect((await operations()).filter((row) => (row as { state: string }).state !== 'fulfilled')).toEqual([])
  expect(await generation()).toBe(before + 1)
  const { rows } = await admin.query("select name, limits_observed->>'acting' as acting from namespaces order by name")
  expect(rows).toEqual([
    { name: 'one', acting: 'true' },
    { name: 'two', acting: 'true' },
  ])
})

test('a node gets no next manifest for limits before it has come to the last one', async () => {
  await ask('one')
  await ask('two')
  await world.settle()
  const [node] = await world.driver.list()
  const nodeId = node?.nodeId ?? ''
  await changeAll('one', 2)
  await world.pass('one.abcde')
  // A new generation, and then the node does not hear of it.
  await world.passNode(nodeId)
  world.loss = { step: 'configure-node', when: 'before' }
  expect(await world.passNode(nodeId)).toBe('lost')
  await changeAll('two', 2)
  await world.pass('two.abcde')
  await world.passNode(nodeId)
  expect(world.driver.manifest(nodeId)?.generation).toBe(2)
  await world.settle()
  expect(world.driver.manifest(nodeId)?.generation).toBe(3)
})

test('a capacity is what acts once its request is completed, and stays what it was when the request fails', async () => {
  const status = async () => (await admin.query('select capacity_status as status from namespaces')).rows[0].status
  await ask('payments')
  await world.settle()
  expect(await status()).toBeNull()
  await changeAll('payments', 2)
  await world.settle()
  const provisioned = { mode: 'provisioned', units: 2 }
  expect(await status()).toEqual({
    current: provisioned,
    request: {
      capacity: provisioned,
      operationId: 'payments-2',
      startedAt: '2026-01-02T03:04:05Z',
      endedAt: expect.any(String),
      outcome: 'completed',
    },
  })
  await admin.query(
    `update namespaces set state = 'updating', generation = generation + 1, capacity_status = capacity_status ||
       '{"request": {"capacity": {"mode": "on_demand"}, "operationId": "payments-3", "startedAt": "2026-01-02T03:04:05Z"}}'`,
  )
  await operation('payments', 3)
  await admin.query("update operations set deadline_at = now() - interval '1 second' where id = 'payments-3'")
  await failOverdueOperations({ database: world.database, logger: createLogger('test', 'silent') })
  expect(await status()).toMatchObject({ current: provisioned, request: { outcome: 'failed' } })
})

test('a limit acts only after the servers had the time to read it', async () => {
  await ask('payments')
  await world.settle()
  await changeAll('payments', 2)
  await world.settle()
  const { rows } = await admin.query('select limits_held, limits_version, limits_held_at from nodes')
  expect(rows[0].limits_held).toBe(rows[0].limits_version)
  expect(world.now.getTime() - rows[0].limits_held_at.getTime()).toBeGreaterThanOrEqual(5_000)
})

test('a namespace that fails is left alone by the clock for as long as its pass said', async () => {
  await ask('payments')
  await world.settle()
  await change('payments', 30)
  const proof = systemActor('test').authorize('operation', 'list', { fleet: true })
  const awake = async () => (await listUnsettled(world.database.all, proof, 10)).map(({ id }) => id)
  expect(await awake()).toEqual(['payments.abcde'])
  world.cell.failNext('updateNamespace', 'unavailable')
  expect(await world.pass('payments.abcde')).toMatchObject({ kind: 'again' })
  expect(await awake()).toEqual([])
  await admin.query("update namespaces set retry_at = now() - interval '1 ms'")
  expect(await awake()).toEqual(['payments.abcde'])
})

test('a cell of an older version gets its columns first, and then its nodes hear of them', async () => {
  await ask('payments')
  await world.settle()
  const [node] = await world.driver.list()
  const nodeId = node?.nodeId ?? ''
  const { cellId = '' } = node ?? {}
  const manifests = async () => world.driver.manifest(nodeId)?.generation
  await admin.query('update cells set databases_observed = databases_observed || \'{"schemaVersion": "1.32.2"}\'')
  await admin.query("update nodes set manifest_settings = 'of before'")
  for (let pass = 0; pass < 3; pass += 1) await world.passNode(nodeId)
  expect(await manifests()).toBe(1)
  world.steps.length = 0
  world.loss = { step: 'create-databases', when: 'after' }
  expect(await world.passCell(cellId)).toBe('lost')
  for (let pass = 0; pass < 3; pass += 1) await world.passNode(nodeId)
  expect(await manifests()).toBe(1)
  for (let pass = 0; pass < 3; pass += 1) await world.passCell(cellId)
  expect(world.steps.filter((step) => step === 'create-databases')).toHaveLength(2)
  for (let pass = 0; pass < 3; pass += 1) await world.passNode(nodeId)
  expect(await manifests()).toBe(2)
  const { rows } = await admin.query('select state from cells')
  expect(rows).toEqual([{ state: 'ready' }])
})

test('a cell that goes takes its nodes and databases along', async () => {
  await ask('payments')
  await world.settle()
  await remove('payments', 2)
  await world.settle()
  const { rows: cells } = await admin.query("update cells set state = 'deleting' returning id")
  for (let pass = 0; pass < 2; pass += 1) await world.passCell(cells[0].id)
  const { rows: going } = await admin.query('select n.id, c.conditions from nodes n join cells c on c.id = n.cell_id')
  expect(going[0].conditions.ready).toMatchObject({ status: false, detail: `its nodes are deleted: ${going[0].id}` })
  await world.settle()
  expect(await world.driver.list()).toEqual([])
  expect(world.databases).toEqual(new Set())
  const { rows } = await admin.query(
    'select c.state as cell, n.state as node from cells c join nodes n on n.cell_id = c.id',
  )
  expect(rows).toEqual([{ cell: 'deleted', node: 'deleted' }])
})
