import { readFile, writeFile } from 'node:fs/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate, NewerSchemaError } from '#libs/store'
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

test('an older version refuses a database with a breaking migration that it does not know', async () => {
  await client.query("insert into schema_migrations (name, breaking) values ('9999-from-the-future.sql', true)")
  await expect(migrate({ adminUrl: database.adminUrl, masterKey: testMasterKey })).rejects.toThrow(NewerSchemaError)
  await client.query("update schema_migrations set breaking = false where name like '9999%'")
  await expect(migrate({ adminUrl: database.adminUrl, masterKey: testMasterKey })).resolves.toEqual([])
})
