import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authorize } from '#libs/authz'
import { Database } from '#libs/store'
import { listAuditEntries, listFleetAuditEntries } from '#libs/store/audit'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { slowParts } from './plan.ts'
import { recordStatements, type Statement, type StatementRecorder } from './recorded-statements.ts'

const count = 100_000
const perTenant = count / 2
const day = 86_400_000

let testDatabase: TestDatabase
let recorder: StatementRecorder
let database: Database
let admin: Client

beforeAll(async () => {
  recorder = recordStatements()
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  // Half of all is one tenant's, half of that one principal's; two a second over the last 29 days or so.
  await admin.query(`insert into audit_entries
    select chain, seq, 1, now() - interval '29 days' + (seq * 25 || ' seconds')::interval, now(), chain, 'aqueduct_api', 'cloud_rest',
      'CreateNamespace', 'user', 'usr-' || seq % 2, 'a@x.test', 'api_key', 'key-1', '127.0.0.1', '{"namespace":"n"}', 'OK', '', 'request', '',
      1, '{}', sha256(seq::text::bytea)
    from (select case when i % 2 = 0 then 'aaaaa' else 'b' || i % 1000 end as chain, i / 2 as seq from generate_series(0, ${count - 1}) i) as made
    on conflict do nothing`)
  await admin.query('vacuum analyze audit_entries')
  database = new Database({ url: testDatabase.adminUrl, poolSize: 1, applicationName: 'plans' })
}, 120_000)
afterAll(async () => {
  recorder.stop()
  await database.close()
  await admin.end()
  await testDatabase.drop()
})

const tenant = () =>
  authorize(
    {
      kind: 'user',
      tenantId: 'aaaaa',
      principalId: 'usr-1',
      roles: new Set(['owner'] as const),
      namespaceGrants: new Map(),
      customPermissions: [],
      credential: { kind: 'api_key', id: 'key-1' },
    },
    'audit_log',
    'list',
    { tenantId: 'aaaaa' },
  )
const operator = () =>
  authorize(
    { kind: 'operator', name: 'ada', role: 'admin', credential: { kind: 'certificate', fingerprint: '' } },
    'fleet_audit_log',
    'list',
    { fleet: true },
  )

const from = new Date(Date.now() - 30 * day)
const to = new Date(Date.now() + day)
const own = (seq: number | undefined) => () =>
  listAuditEntries(database.all, tenant(), {
    from,
    to,
    after: seq === undefined ? undefined : { chain: 'aaaaa', seq },
    limit: 101,
  })
const fleet = (filter: { tenantId?: string; principalId?: string }, seq: number | undefined) => () =>
  listFleetAuditEntries(database.all, operator(), {
    tenantId: filter.tenantId,
    principalId: filter.principalId,
    from: undefined,
    to: undefined,
    before: seq === undefined ? undefined : { chain: 'aaaaa', seq },
    limit: 101,
  })

const lists = {
  'a tenant’s': [own(undefined), own(perTenant - 102)],
  'the fleet’s': [fleet({}, undefined), fleet({}, 200)],
  'one tenant’s, by an operator': [fleet({ tenantId: 'aaaaa' }, undefined), fleet({ tenantId: 'aaaaa' }, 200)],
  'one principal’s': [fleet({ principalId: 'usr-1' }, undefined), fleet({ principalId: 'usr-1' }, 301)],
} as const

describe.each(Object.entries(lists))('%s list of 100,000 entries', (_name, [first, last]) => {
  test('is as dear on its last page as on its first, and reads no whole table', async () => {
    const costs: number[] = []
    for (const read of [first, last]) {
      const [statement, ...more] = await recorder.during(async () => expect((await read()).length).toBeGreaterThan(90))
      expect(more).toEqual([])
      expect(statement).toBeDefined()
      if (statement === undefined) return
      expect(await slowParts(admin, statement, new Map([['audit_entries', count]]), { rows: 1_000 })).toEqual([])
      costs.push(await pagesRead(statement))
    }
    const [ofFirst = 0, ofLast = 0] = costs
    expect(ofLast).toBeLessThan(2 * ofFirst + 20)
  })
})

/** Pages of the database that the statement touches: the same at every run, as its time is not. */
async function pagesRead({ text, values }: Statement): Promise<number> {
  const { rows } = await admin.query(`explain (analyze, buffers, format json) ${text}`, [...values])
  const plan = rows[0]?.['QUERY PLAN'][0].Plan
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}
