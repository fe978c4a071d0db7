import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Database } from '#libs/store'
import { type AuditEntry, appendAuditEntry } from '#libs/store/audit'
import { createLogger, Registry } from '#libs/telemetry'
import { auditMetrics } from '../../../apps/api/audit/audit-metrics.ts'
import { AuditWriter } from '../../../apps/api/audit/audit-writer.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { until } from '../../harness/until.ts'

let testDatabase: TestDatabase
let admin: Client
let api: Database
let registry: Registry
let writer: AuditWriter
beforeEach(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  for (const id of ['aaaaa', 'bbbbb']) await admin.query('insert into tenants (id, name) values ($1, $1)', [id])
  api = new Database({ url: testDatabase.roleUrl('aqueduct_api'), poolSize: 6, applicationName: 'audit' })
  registry = new Registry()
  writer = new AuditWriter({
    database: api,
    logger: createLogger('test', 'silent'),
    metrics: auditMetrics(registry),
    interface: 'cloud_rest',
    foldMs: 200,
    maxPending: 10,
  })
})
afterEach(async () => {
  await writer.stop()
  await api.close()
  await admin.end()
  await testDatabase.drop()
})

let made = 0
function refusal(tenantId: string, more: Partial<AuditEntry> = {}): AuditEntry {
  made += 1
  return {
    tenantId,
    interface: 'cloud_rest',
    operation: `Rpc${made}`,
    principal: { type: 'user', id: 'usr-1' },
    sourceAddress: '127.0.0.1',
    target: {},
    outcome: 'NOT_FOUND',
    requestId: `request-${made}`,
    ...more,
  }
}

async function written() {
  const { rows } = await admin.query('select * from audit_entries order by emit_time, chain, seq')
  return rows
}

async function metric(name: string): Promise<number> {
  const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] }
  return values[0]?.value ?? 0
}

/** Lets nobody but the superuser in, and throws out who is in; -1 lets them in again. */
async function letIn(connections: 0 | -1): Promise<void> {
  await admin.query(
    `do $$ begin execute format('alter database %I connection limit ${connections}', current_database()); end $$`,
  )
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'aqueduct_api' and datname = current_database()",
  )
}

const entriesAre = (count: number) =>
  until(`there are ${count} entries`, async () => (await written()).length === count)

test('writes by itself, soon, and folded ones when their window ends', async () => {
  const again = refusal('aaaaa')
  for (let i = 0; i < 5; i += 1) writer.record(again)
  await entriesAre(2)
  expect(await written()).toMatchObject([{ repeats: 1 }, { repeats: 4 }])
  // Others see them before the writer has its answer, and counts.
  await until('both are counted', async () => (await metric('aqueduct_audit_refusals_written_total')) === 2)
  expect(await metric('aqueduct_audit_refusals_folded_total')).toBe(4)
})

test('a stop writes what is there', async () => {
  const again = refusal('aaaaa')
  for (let i = 0; i < 5; i += 1) writer.record(again)
  await writer.stop()
  expect(await written()).toMatchObject([{ repeats: 1 }, { repeats: 4 }])
})

test('while a tenant’s chain is held, the others’ entries are written', async () => {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let isHeld: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    isHeld = resolve
  })
  const change = api.transactionOfTenant('aaaaa', async (trx) => {
    await appendAuditEntry(trx, refusal('aaaaa', { outcome: 'OK' }))
    isHeld()
    await held
  })
  await begun
  writer.record(refusal('aaaaa'))
  writer.record(refusal('bbbbb'))
  await entriesAre(1)
  expect(await written()).toMatchObject([{ chain: 'bbbbb' }])
  writer.record(refusal('bbbbb'))
  await entriesAre(2)
  release()
  await change
  await writer.flush()
  expect((await written()).map(({ chain }) => chain).toSorted()).toEqual(['aaaaa', 'aaaaa', 'bbbbb', 'bbbbb'])
})

test('while the database is away, entries wait; too many are counted, and the number is an entry', async () => {
  await letIn(0)
  for (let i = 0; i < 14; i += 1) writer.record(refusal('aaaaa'))
  expect(await metric('aqueduct_audit_entries_lost_total')).toBe(4)
  await letIn(-1)
  await entriesAre(11)
  const [lost] = (await written()).filter(({ chain }) => chain === '_fleet')
  expect(lost).toMatchObject({ operation: 'LostAuditEntries', outcome: 'DATA_LOSS', details: { entries: 4 } })
  writer.record(refusal('aaaaa'))
  await writer.flush()
  expect((await written()).filter(({ chain }) => chain === '_fleet')).toHaveLength(1)
})

test('one that Postgres does not take keeps no other out', async () => {
  writer.record(refusal('aaaaa'))
  writer.record(refusal('aaaaa', { occurredAt: 'never' as unknown as Date }))
  writer.record(refusal('bbbbb'))
  await writer.flush()
  expect((await written()).filter(({ outcome }) => outcome === 'NOT_FOUND')).toHaveLength(2)
  expect(await metric('aqueduct_audit_entries_lost_total')).toBe(1)
})
