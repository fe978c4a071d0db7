import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let database: Database

/** Tables that tenants own and the API writes, each with a column that it may change. */
const owned = [
  ['users', 'account_role'],
  ['service_accounts', 'account_role'],
  ['api_keys', 'disabled'],
  ['namespaces', 'waiting_for'],
  ['namespace_grants', 'permission'],
  ['operations', 'waiting_for'],
  ['connectivity_rules', 'deleted_at'],
] as const

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  const admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  for (const tenant of ['aaaaa', 'bbbbb']) {
    await admin.query('insert into tenants (id, name) values ($1, $1)', [tenant])
    await admin.query(
      "insert into users (id, tenant_id, email, account_role) values ('usr-' || $1, $1, 'a@example.com', 'owner')",
      [tenant],
    )
    await admin.query(
      "insert into service_accounts (id, tenant_id, name, account_role) values ('sa-' || $1, $1, 'ci', 'read')",
      [tenant],
    )
    await admin.query(
      "insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at) values ('key-' || $1, $1, 'user', 'usr-' || $1, 'k', now() + interval '1 day')",
      [tenant],
    )
    await admin.query(
      "insert into namespaces (id, tenant_id, name, region, spec, created_by) values ('n.' || $1, $1, 'n', 'aws-us-east-1', '{}', 'x')",
      [tenant],
    )
    await admin.query(
      "insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ($1, 'n.' || $1, 'sa-' || $1, 'read')",
      [tenant],
    )
    await admin.query("insert into connectivity_rules (id, tenant_id, kind) values ('rule-' || $1, $1, 'public')", [
      tenant,
    ])
    await admin.query(
      `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, state, requested_by, deadline_at)
       values ($1, 'op', 'Rpc', '', '', 'namespace', 'n.' || $1, 'pending', 'x', now())`,
      [tenant],
    )
  }
  await admin.end()
  database = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 1, applicationName: 'rls' })
})
afterAll(async () => {
  await database.close()
  await testDatabase.drop()
})

describe.each(owned)('%s, with the store’s own filter bypassed', (table, column) => {
  test('shows the rows of the one tenant', async () => {
    const rows = await database.ofTenant('aaaaa', (executor) =>
      executor
        .selectFrom(table as 'users')
        .selectAll()
        .execute(),
    )
    expect(rows.map((row) => row.tenant_id)).toEqual(['aaaaa'])
  })

  test('changes no row of another', async () => {
    const client = new Client({ connectionString: testDatabase.roleUrl('aqueduct_api') })
    await client.connect()
    try {
      await client.query("select set_config('aqueduct.tenant_id', 'aaaaa', false)")
      const { rowCount } = await client.query(`update ${table} set ${column} = ${column} where tenant_id = 'bbbbb'`)
      expect(rowCount).toBe(0)
    } finally {
      await client.end()
    }
  })
})

test('a connection that served one tenant shows nothing of it to the next', async () => {
  const seen = async (tenantId: string) =>
    database.ofTenant(tenantId, async (executor) =>
      (await executor.selectFrom('users').select('id').execute()).map((row) => row.id),
    )
  expect(await seen('aaaaa')).toEqual(['usr-aaaaa'])
  expect(await seen('bbbbb')).toEqual(['usr-bbbbb'])
  await expect(
    database.transactionOfTenant('aaaaa', async () => {
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  expect(await seen('bbbbb')).toEqual(['usr-bbbbb'])
  expect(await seen('aaaaa')).toEqual(['usr-aaaaa'])
})

test('no tenant named, no rows', async () => {
  const client = new Client({ connectionString: testDatabase.roleUrl('aqueduct_api') })
  await client.connect()
  try {
    for (const table of [...owned.map(([table]) => table), 'tenants', 'certificates', 'certificate_authorities']) {
      const outcome = await client.query(`select * from ${table}`).then(
        ({ rows }) => rows.length,
        (thrown: Error) => thrown.message,
      )
      expect([0, `permission denied for table ${table}`]).toContain(outcome)
    }
  } finally {
    await client.end()
  }
})

test('a row cannot be written into another tenant', async () => {
  await expect(
    database.ofTenant('aaaaa', (executor) =>
      executor
        .insertInto('service_accounts')
        .values({
          id: 'sa-evil',
          tenant_id: 'bbbbb',
          name: 'evil',
          account_role: 'owner',
          scoped_namespace_id: null,
          updated_at: null,
          deleted_at: null,
        })
        .execute(),
    ),
  ).rejects.toThrow('row-level security')
})

test('the API may wake reconcilers and nothing else, and may not place a namespace', async () => {
  const client = new Client({ connectionString: testDatabase.roleUrl('aqueduct_api') })
  await client.connect()
  try {
    await client.query("select set_config('aqueduct.tenant_id', 'aaaaa', false)")
    await client.query("select enqueue_task('reconcile-namespace', 'n.aaaaa', '{}')")
    await expect(client.query("select enqueue_task('anything', 'x', '{}')")).rejects.toThrow('unknown task')
    await expect(client.query('select * from graphile_worker._private_jobs')).rejects.toThrow('permission denied')
    await expect(
      client.query("update namespaces set cell_id = null, served = true where id = 'n.aaaaa'"),
    ).rejects.toThrow('permission denied')
    await expect(client.query('select * from certificate_authorities')).rejects.toThrow('permission denied')
  } finally {
    await client.end()
  }
})
