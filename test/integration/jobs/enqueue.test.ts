import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { enqueue } from '#libs/jobs'
import { Database } from '#libs/store'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let admin: Client
let database: Database

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  database = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 1, applicationName: 'jobs' })
})
afterAll(async () => {
  await database.close()
  await admin.end()
  await testDatabase.drop()
})
beforeEach(() => admin.query('delete from graphile_worker._private_jobs'))

const wake = (afterMs?: number) => enqueue(database.all, 'reconcile-cell', { cellId: 'cell-1' }, afterMs)

async function jobs(): Promise<unknown[]> {
  const { rows } = await admin.query('select key, run_at <= now() as due from graphile_worker.jobs')
  return rows
}

test('waking twice is waking once', async () => {
  await wake()
  await wake()
  expect(await jobs()).toEqual([{ key: 'reconcile-cell:cell-1', due: true }])
})

test('"come again later" does not put off a "come now" that is waiting', async () => {
  await wake()
  await wake(60_000)
  expect(await jobs()).toEqual([{ key: 'reconcile-cell:cell-1', due: true }])
})

test('"come now" does not wait for a "come again later"', async () => {
  await wake(60_000)
  expect(await jobs()).toEqual([{ key: 'reconcile-cell:cell-1', due: false }])
  await wake()
  expect(await jobs()).toEqual([{ key: 'reconcile-cell:cell-1', due: true }])
})

test('a wake-up goes with the transaction that it is about', async () => {
  await expect(
    database.transactionOfTenant('abcde', async (trx) => {
      await enqueue(trx, 'reconcile-cell', { cellId: 'cell-1' })
      throw new Error('taken back')
    }),
  ).rejects.toThrow('taken back')
  expect(await jobs()).toEqual([])
})
