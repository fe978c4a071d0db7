import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { forgetIdleBuckets, leaseRequests } from '#libs/store/request-leases'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let admin: Client
let replicas: readonly Database[]
let provisioner: Database

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  await admin.query("insert into tenants (id, name) values ('aaaaa', 'A'), ('bbbbb', 'B')")
  const open = (role: 'aqueduct_api' | 'aqueduct_provisioner') =>
    new Database({ url: testDatabase.roleUrl(role), poolSize: 4, applicationName: role })
  replicas = [open('aqueduct_api'), open('aqueduct_api'), open('aqueduct_api')]
  provisioner = open('aqueduct_provisioner')
})
afterAll(async () => {
  await Promise.all([...replicas, provisioner].map((database) => database.close()))
  await admin.end()
  await testDatabase.drop()
})

const lease = async (database: Database | undefined, tenantId: string, subject: string, calls: number) => {
  const wish = { subject, limit: 'userRequestsPerSecond', calls } as const
  const leases = await database?.ofTenant(tenantId, (executor) => leaseRequests(executor, tenantId, [wish]))
  return leases?.get(subject)
}

test('three replicas that ask as fast as they can are granted what the bucket leaks, and one bucketful', async () => {
  const began = performance.now()
  let granted = 0
  const ask = async (database: Database) => {
    while (performance.now() - began < 2000) {
      const given = await lease(database, 'aaaaa', 'usr-1', 5)
      granted += given?.granted ?? 0
    }
  }
  await Promise.all(replicas.flatMap((database) => [ask(database), ask(database)]))
  const seconds = (performance.now() - began) / 1000
  expect(granted).toBeGreaterThanOrEqual(Math.floor(40 * 2))
  expect(granted).toBeLessThanOrEqual(Math.ceil(40 * (seconds + 1)))
})

test('many subjects at once, wanted in another order by each replica, never wait for each other crosswise', async () => {
  const subjects = Array.from({ length: 20 }, (_, index) => `usr-many-${index}`)
  const ask = (database: Database, order: readonly string[]) =>
    database.ofTenant('aaaaa', (executor) =>
      leaseRequests(
        executor,
        'aaaaa',
        order.map((subject) => ({ subject, limit: 'userRequestsPerSecond', calls: 1 })),
      ),
    )
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const database = replicas[index % 3]
      return database === undefined ? undefined : ask(database, index % 2 === 0 ? subjects : subjects.toReversed())
    }),
  )
  for (const answer of answers) expect(answer?.size).toBe(20)
})

test('a lease is a sixteenth of a second’s calls, more when more wait, never more than a bucketful; it tells the limit', async () => {
  expect(await lease(replicas[0], 'bbbbb', 'usr-2', 1)).toMatchObject({ granted: 3, perSecond: 40 })
  expect(await lease(replicas[1], 'bbbbb', 'usr-3', 10)).toMatchObject({ granted: 10 })
  expect(await lease(replicas[2], 'bbbbb', 'usr-4', 1000)).toMatchObject({ granted: 40 })
  await admin.query(`update tenants set limits = '{"userRequestsPerSecond": 160}' where id = 'bbbbb'`)
  expect(await lease(replicas[0], 'bbbbb', 'usr-5', 1)).toMatchObject({ granted: 10, perSecond: 160 })
})

test('there is no bucket of no tenant, and none of another one', async () => {
  expect(await lease(replicas[0], 'zzzzz', 'usr-9', 1)).toBeUndefined()
  const foreign = replicas[0]?.ofTenant('aaaaa', (executor) =>
    leaseRequests(executor, 'bbbbb', [{ subject: 'usr-2', limit: 'userRequestsPerSecond', calls: 1 }]),
  )
  // The tenant of the connection is not the one that is asked for: its row is not to be seen, and nothing is written.
  expect((await foreign)?.size).toBe(0)
})

test('buckets that nobody asks for are forgotten, and no other', async () => {
  await lease(replicas[0], 'aaaaa', 'usr-now', 1)
  await admin.query("update request_buckets set empty_at = now() - interval '2 hours' where subject = 'usr-1'")
  await forgetIdleBuckets(provisioner.all)
  const { rows } = await admin.query("select subject from request_buckets where subject in ('usr-1', 'usr-now')")
  expect(rows).toEqual([{ subject: 'usr-now' }])
})
