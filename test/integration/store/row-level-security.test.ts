import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { type OwnedTable, ownedTables, sample, writeSampleRows } from './sample-rows.ts'

let testDatabase: TestDatabase
let database: Database
let admin: Client
let tables: readonly OwnedTable[]
/** As the role of the public API, on behalf of the tenant aaaaa: the store's own filter is nowhere in here. */
let api: Client

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  tables = await ownedTables(admin)
  for (const tenant of ['aaaaa', 'bbbbb']) {
    await admin.query('insert into tenants (id, name) values ($1, $1)', [tenant])
    await admin.query("select set_config('aqueduct.audit_writer', 'test', false)")
    await admin.query('delete from audit_chains where tenant_id = $1', [tenant])
    await writeSampleRows(admin, tables, tenant)
  }
  api = new Client({ connectionString: testDatabase.roleUrl('aqueduct_api') })
  await api.connect()
  await api.query("select set_config('aqueduct.tenant_id', 'aaaaa', false)")
  database = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 1, applicationName: 'rls' })
})
afterAll(async () => {
  await database.close()
  await api.end()
  await admin.end()
  await testDatabase.drop()
})

/** What Postgres says to a statement: how many rows it was about, or that it may not be done at all. */
async function attempt(client: Client, statement: string, values: unknown[] = []): Promise<number | 'denied'> {
  try {
    return (await client.query(statement, values)).rowCount ?? 0
  } catch (thrown) {
    const { message } = thrown as Error
    if (message.includes('permission denied') || message.includes('row-level security')) return 'denied'
    throw thrown
  }
}

const nothing = [0, 'denied']

async function forEachTable(check: (table: OwnedTable) => Promise<void>): Promise<void> {
  expect(tables.length).toBeGreaterThan(15)
  for (const table of tables) await check(table)
}

test('every table with a tenant that the API can reach has row-level security', async () => {
  const { rows } = await admin.query<{ name: string }>(
    `select relname as name from pg_class where relname = any($1::text[]) and not relrowsecurity and
       (has_any_column_privilege('aqueduct_api', oid, 'select, insert, update') or has_table_privilege('aqueduct_api', oid, 'delete'))`,
    [tables.map(({ name }) => name)],
  )
  expect(rows).toEqual([])
})

test('shows the rows of the one tenant', () =>
  forEachTable(async ({ name }) => {
    const seen = await api.query(`select tenant_id from ${name}`).catch(() => ({ rows: [{ tenant_id: 'aaaaa' }] }))
    expect(seen.rows, name).toEqual([{ tenant_id: 'aaaaa' }])
  }))

test('changes no row of another', () =>
  forEachTable(async ({ name, columns }) => {
    for (const column of columns) {
      const update = `update ${name} set ${column.name} = ${column.name} where tenant_id = 'bbbbb'`
      expect(nothing, `${name}.${column.name}`).toContain(await attempt(api, update))
    }
  }))

test('moves no row into another tenant', () =>
  forEachTable(async ({ name }) => {
    expect(await attempt(api, `update ${name} set tenant_id = 'bbbbb'`), name).toBe('denied')
  }))

test('deletes no row of another', () =>
  forEachTable(async ({ name }) => {
    expect(nothing, name).toContain(await attempt(api, `delete from ${name} where tenant_id = 'bbbbb'`))
  }))

test('writes no row for another', () =>
  forEachTable(async ({ name, columns }) => {
    const filled = columns.filter((column) => !column.optional || column.name === 'tenant_id')
    const places = filled.map((_, index) => `$${index + 1}`).join(', ')
    const statement = `insert into ${name} (${filled.map((column) => column.name).join(', ')}) values (${places})`
    const values = filled.map((column) => sample(name, column, 'bbbbb'))
    expect(await attempt(api, statement, values), name).toBe('denied')
  }))

test('shows a tenant itself alone, and lets it change what is its own to change', async () => {
  expect((await api.query('select id from tenants')).rows).toEqual([{ id: 'aaaaa' }])
  expect(nothing).toContain(await attempt(api, "update tenants set metrics_client_ca = 'x' where id = 'bbbbb'"))
  expect(await attempt(api, "update tenants set state = 'active' where id = 'aaaaa'")).toBe('denied')
})

test('no tenant named, no rows', async () => {
  const client = new Client({ connectionString: testDatabase.roleUrl('aqueduct_api') })
  await client.connect()
  try {
    for (const name of [...tables.map((table) => table.name), 'tenants']) {
      expect(nothing, name).toContain(await attempt(client, `select * from ${name}`))
    }
  } finally {
    await client.end()
  }
})

test('a connection that served one tenant shows nothing of it to the next', async () => {
  const seen = async (tenantId: string) =>
    database.ofTenant(tenantId, async (executor) =>
      (await executor.selectFrom('users').select('tenant_id').execute()).map((row) => row.tenant_id),
    )
  expect(await seen('aaaaa')).toEqual(['aaaaa'])
  expect(await seen('bbbbb')).toEqual(['bbbbb'])
  await expect(
    database.transactionOfTenant('aaaaa', async () => {
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  expect(await seen('bbbbb')).toEqual(['bbbbb'])
  expect(await seen('aaaaa')).toEqual(['aaaaa'])
})

test('the API may wake reconcilers and nothing else, and may not place a namespace', async () => {
  await api.query("select enqueue_task('reconcile-namespace', 'x.aaaaa', '{}')")
  await expect(api.query("select enqueue_task('anything', 'x', '{}')")).rejects.toThrow('unknown task')
  await expect(api.query('select * from graphile_worker._private_jobs')).rejects.toThrow('permission denied')
  await expect(api.query("update namespaces set cell_id = null, served = true where id = 'x.aaaaa'")).rejects.toThrow(
    'permission denied',
  )
  await expect(api.query('select * from certificate_authorities')).rejects.toThrow('permission denied')
})
