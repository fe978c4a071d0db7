import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts'
import { until } from '../harness/until.ts'
import { SmallWorld } from './small-world.ts'

const id = 'payments.abcde'

let testDatabase: TestDatabase
let admin: Client
let world: SmallWorld

beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  world = new SmallWorld(testDatabase)
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by)
     values ($1, 'abcde', 'payments', 'aws-us-east-1', $2, 'usr-1')`,
    [id, { name: 'payments', regions: ['aws-us-east-1'], retentionDays: 1 }],
  )
  await world.settle()
})
afterEach(async () => {
  await world.database.close()
  await admin.end()
  await testDatabase.drop()
})

async function change(retentionDays: number): Promise<void> {
  await admin.query(
    `update namespaces set spec = jsonb_set(spec, '{retentionDays}', $2::jsonb), state = 'updating', generation = generation + 1
     where id = $1`,
    [id, String(retentionDays)],
  )
}

/** The next update stays on the way to the cell until it is let through. */
function holdNextUpdate(): { readonly isHeld: () => boolean; letThrough(): void } {
  const { cell } = world
  const gate = Promise.withResolvers<void>()
  let held = false
  const update = cell.updateNamespace.bind(cell)
  cell.updateNamespace = async (name, asked) => {
    cell.updateNamespace = update
    held = true
    await gate.promise
    await update(name, asked)
  }
  return { isHeld: () => held, letThrough: () => gate.resolve() }
}

async function rowAndWorld(): Promise<unknown> {
  const { rows } = await admin.query("select state, (spec->>'retentionDays')::int as days from namespaces")
  const [namespace] = await world.cell.listNamespaces()
  return { ...rows[0], onCell: namespace?.retentionDays }
}

test('an update that is taken back while it is on its way is taken back on the cell, too', async () => {
  await change(30)
  const update = holdNextUpdate()
  const pass = world.pass(id)
  await until('the update is on its way', update.isHeld)
  await change(1)
  update.letThrough()
  await pass
  await world.settle()
  expect(await rowAndWorld()).toEqual({ state: 'active', days: 1, onCell: 1 })
})

test('an update that arrives after its lease, when a later one is done already, does not stay', async () => {
  await change(30)
  const update = holdNextUpdate()
  const pass = world.pass(id)
  await until('the update is on its way', update.isHeld)
  await admin.query("update namespaces set leased_until = now() - interval '1 second'")
  await change(60)
  await world.settle()
  expect(await rowAndWorld()).toEqual({ state: 'active', days: 60, onCell: 60 })
  update.letThrough()
  await pass
  await world.settle()
  expect(await rowAndWorld()).toEqual({ state: 'active', days: 60, onCell: 60 })
})

test('an update whose answer is lost is not forgotten when it is taken back', async () => {
  await change(30)
  world.loss = { step: 'update-retention', when: 'after' }
  expect(await world.pass(id)).toBe('lost')
  await change(1)
  await world.settle()
  expect(await rowAndWorld()).toEqual({ state: 'active', days: 1, onCell: 1 })
})

test('a process that stops in a transaction keeps its rows for a shorter time than a lease', async () => {
  const { rows } = await world.database.pool.query(
    "select current_setting('idle_in_transaction_session_timeout') as after",
  )
  expect(rows).toEqual([{ after: '10s' }])
})
