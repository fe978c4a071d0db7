import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { Database, StaleWriterError, takeLease } from '#libs/store'
import { recordCell } from '#libs/store/cells'
import { recordNode } from '#libs/store/nodes'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

/** Passes that hold the lease, and write what they saw after somebody without it has decided otherwise. */

let testDatabase: TestDatabase
let admin: Client
let database: Database
const system = systemActor('late-pass')
const cell = system.authorize('cell', 'update', { cellId: 'cell-1' })
const node = system.authorize('node', 'update', { nodeId: 'node-1' })

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  const url = testDatabase.roleUrl('aqueduct_provisioner')
  database = new Database({ url, poolSize: 1, applicationName: 'late-passes' })
})
afterAll(async () => {
  await database.close()
  await admin.end()
  await testDatabase.drop()
})
beforeEach(async () => {
  await admin.query('truncate nodes, cells cascade')
  await admin.query(
    `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
     values ('cell-1', 'aws-us-east-1', 'fake', 'ready', 10, 64, '1.32.2', 'cell_1', 'x')`,
  )
  await admin.query("insert into nodes (id, cell_id, driver, state) values ('node-1', 'cell-1', 'fake', 'ready')")
  await takeLease(database.all, 'cells', 'cell-1', 'pass')
  await takeLease(database.all, 'nodes', 'node-1', 'pass')
})
const stateOf = async (table: 'cells' | 'nodes') => (await admin.query(`select state from ${table}`)).rows[0]?.state

test('a cell that an operator retired meanwhile does not become ready again', async () => {
  await recordCell(database.all, cell, 'pass', { state: 'ready' })
  await admin.query("update cells set state = 'deleting'")
  await expect(recordCell(database.all, cell, 'pass', { state: 'ready' })).rejects.toThrow(StaleWriterError)
  expect(await stateOf('cells')).toBe('deleting')
  await recordCell(database.all, cell, 'pass', { state: 'deleted' })
  expect(await stateOf('cells')).toBe('deleted')
})

test.each([
  ['draining', 'ready', false],
  ['draining', 'creating', false],
  ['draining', 'failed', true],
  ['deleting', 'ready', false],
  ['deleting', 'creating', false],
  ['deleting', 'failed', false],
  ['deleting', 'deleted', true],
] as const)('a node that its cell has made %s meanwhile: %s', async (decided, written, isTaken) => {
  await recordNode(database.all, node, 'pass', { state: 'creating' })
  await admin.query('update nodes set state = $1', [decided])
  const record = recordNode(database.all, node, 'pass', { state: written })
  if (isTaken) await record
  else await expect(record).rejects.toThrow(StaleWriterError)
  expect(await stateOf('nodes')).toBe(isTaken ? written : decided)
  // What it saw otherwise it may write.
  await recordNode(database.all, node, 'pass', { failures: 1 })
})
