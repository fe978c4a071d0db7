import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemActor } from '#libs/authz'
import { Database } from '#libs/store'
import { placeNamespace } from '#libs/store/cells'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let admin: Client
let database: Database

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  const url = testDatabase.roleUrl('aqueduct_provisioner')
  database = new Database({ url, poolSize: 1, applicationName: 'placement' })
})
afterAll(async () => {
  await database.close()
  await admin.end()
  await testDatabase.drop()
})

test('a namespace on its way to a cell has its place there', async () => {
  await admin.query("insert into tenants (id, name) values ('abcde', 'Example')")
  await admin.query(
    `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed, draining)
     select 'cell-' || n, 'aws-us-east-1', 'fake', 'ready', 1, 64, '1.32.2', 'cell_' || n, 'x', n = 1 from generate_series(1, 2) as n`,
  )
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, cell_id) values
     ('moved.abcde', 'abcde', 'moved', 'aws-us-east-1', '{}', 'usr-1', 'cell-1'),
     ('new.abcde', 'abcde', 'new', 'aws-us-east-1', '{}', 'usr-1', null)`,
  )
  const place = async () => {
    const system = systemActor('placement')
    const proof = system.authorize('namespace', 'update', { tenantId: 'abcde', namespaceId: 'new.abcde' })
    const template = {
      region: 'aws-us-east-1',
      driver: 'fake',
      namespaceLimit: 1,
      size: 'dev' as const,
      historyShards: 64,
      nodeTemplate: { serverVersion: '1.32.2' },
      sealPassword: () => 'x',
    }
    return database.all.transaction().execute(async (trx) => {
      const placed = await placeNamespace(trx, proof, system.authorize('cell', 'create', { fleet: true }), template)
      await trx.updateTable('namespaces').set({ cell_id: null }).where('id', '=', 'new.abcde').execute()
      return placed
    })
  }
  expect(await place()).toEqual({ cellId: 'cell-2', created: false })
  await admin.query(
    "insert into moves (id, namespace_id, source_cell_id, target_cell_id, requested_by) values ('move-1', 'moved.abcde', 'cell-1', 'cell-2', 'grace')",
  )
  expect(await place()).toMatchObject({ created: true })
})
