import { readFile, writeFile } from 'node:fs/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assertSchemaFits, Database, migrate, NewerSchemaError } from '#libs/store'
import { describeSchema } from '../../harness/describe-schema.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let database: TestDatabase
let client: Client
beforeAll(async () => {
  database = await createTestDatabase()
  client = new Client({ connectionString: database.adminUrl })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await database.drop()
})

test('the migrations come to the golden schema', async () => {
  const golden = new URL('../../../libs/store/schema.golden.txt', import.meta.url)
  const actual = await describeSchema(client)
  if (process.env.UPDATE_GOLDENS === '1') await writeFile(golden, actual)
  expect(actual).toBe(await readFile(golden, 'utf8'))
})

test('migrating what is migrated changes nothing', async () => {
  expect(await migrate({ adminUrl: database.adminUrl, masterKey: testMasterKey })).toEqual([])
})

test('every table with a tenant_id is behind row-level security, and no role of ours owns a table', async () => {
  const { rows: open } = await client.query(`
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and not c.relrowsecurity
      and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
      and c.relname <> 'invitations'`)
  expect(open).toEqual([])
  const { rows: owned } = await client.query(`
    select c.relname, r.rolname from pg_class c join pg_roles r on r.oid = c.relowner join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and r.rolname like 'aqueduct\\_%'`)
  expect(owned).toEqual([])
})

test('a process serves only on a schema that is there, and that it can live with', async () => {
  const url = database.roleUrl('aqueduct_api')
  const api = new Database({ url, poolSize: 1, applicationName: 'schema-guard' })
  try {
    await assertSchemaFits(api.pool)
    await client.query("insert into schema_migrations (name, breaking) values ('9998-from-the-future.sql', false)")
    await assertSchemaFits(api.pool)
    await client.query("update schema_migrations set breaking = true where name like '9998%'")
    await expect(assertSchemaFits(api.pool)).rejects.toThrow(NewerSchemaError)
    await client.query("delete from schema_migrations where name like '9998%'")
    await client.query("update schema_migrations set name = 'x' || name where name like '0001%'")
    await expect(assertSchemaFits(api.pool)).rejects.toThrow('lacks 0001')
  } finally {
    await client.query("update schema_migrations set name = substr(name, 2) where name like 'x0001%'")
    await api.close()
  }
})

test('an older version refuses a database with a breaking migration that it does not know', async () => {
  await client.query("insert into schema_migrations (name, breaking) values ('9999-from-the-future.sql', true)")
  await client.query('drop schema graphile_worker cascade')
  await expect(migrate({ adminUrl: database.adminUrl, masterKey: testMasterKey })).rejects.toThrow(NewerSchemaError)
  const { rows } = await client.query("select from pg_namespace where nspname = 'graphile_worker'")
  expect(rows).toEqual([])
  await client.query("update schema_migrations set breaking = false where name like '9999%'")
  await expect(migrate({ adminUrl: database.adminUrl, masterKey: testMasterKey })).resolves.toEqual([])
})
