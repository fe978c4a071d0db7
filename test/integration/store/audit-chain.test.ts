import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database, DatabaseRole } from '#libs/store'
import {
  type AuditEntry,
  type AuditHead,
  appendAuditEntries,
  appendAuditEntriesOfOneChain,
  appendAuditEntry,
  appendRefusals,
  auditBatchSize,
} from '#libs/store/audit'
import type { TestDatabase } from '../../harness/postgres.ts'
import { AuditFixture } from './audit-fixture.ts'

let fixture: AuditFixture
let testDatabase: TestDatabase
let admin: Client
let api: Database
const pool = (url: string, size: number) => fixture.pool(url, size)
const newTenant = (id: string) => fixture.newTenant(id)
const entry = (tenantId: string | undefined, more: Partial<AuditEntry> = {}) => fixture.entry(tenantId, more)
const brokenAt = (chain: string, anchor?: AuditHead) => fixture.brokenAt(chain, anchor)
const headOf = (chain: string) => fixture.headOf(chain)

beforeAll(async () => {
  fixture = await AuditFixture.start()
  testDatabase = fixture.testDatabase
  admin = fixture.admin
  api = pool(testDatabase.roleUrl('aqueduct_api'), 16)
})
afterAll(() => fixture.close())

test('what is appended verifies, with every kind of text in it', async () => {
  const strange = entry('aaaaa', {
    reason: 'naïve “quotes” \u{1F600} \0 \uD800 5:x-',
    target: { ключ: 'значение', z: '', a: '"\\' },
    details: { many: 1.5, yes: true, text: '\u{2028}' },
    asyncOperationId: 'op-1',
    occurredAt: new Date('2026-01-02T03:04:05.678Z'),
    repeats: 7,
  })
  await appendAuditEntriesOfOneChain(api, [strange, entry('aaaaa', { principal: { type: 'anonymous', id: '' } })])
  expect(await brokenAt('aaaaa')).toBeUndefined()
  const { rows } = await admin.query("select * from audit_entries where chain = 'aaaaa' order by seq")
  expect(rows[0]).toMatchObject({
    tenant_id: 'aaaaa',
    recorded_by: 'aqueduct_api',
    principal_id: 'usr-aaaaa',
    principal_name: 'aaaaa@x.test',
    credential_id: 'key-1',
    repeats: 7,
    details: { many: 1.5, yes: true },
    occurred_at: new Date('2026-01-02T03:04:05.678Z'),
  })
})

test('somebody without a tenant, or with one that does not exist, is written into the fleet’s chain', async () => {
  const before = await headOf('_fleet')
  expect(await appendAuditEntries(api, [entry(undefined), entry('nobody'), entry('_fleet')])).toEqual([])
  expect((await headOf('_fleet')).seq).toBe(before.seq + 3)
})

test('an entry is kept with its change, or neither is', async () => {
  const before = await headOf('bbbbb')
  await expect(
    api.transactionOfTenant('bbbbb', async (trx) => {
      await appendAuditEntry(trx, entry('bbbbb'))
      throw new Error('the change failed')
    }),
  ).rejects.toThrow('the change failed')
  expect(await headOf('bbbbb')).toEqual(before)
})

test('50 changes at once in one tenant, beside 20 tenants, leave every chain whole', async () => {
  const tenants = Array.from({ length: 20 }, (_, index) => `tt${String.fromCharCode(97 + index)}xx`)
  for (const id of tenants) await newTenant(id)
  const before = await headOf('aaaaa')
  const change = (tenantId: string) =>
    api.transactionOfTenant(tenantId, (trx) => appendAuditEntry(trx, entry(tenantId)))
  const refusals = async () => {
    const left = await appendAuditEntries(
      api,
      [...tenants, 'aaaaa'].map((id) => entry(id, { outcome: 'NOT_FOUND' })),
    )
    for (const one of left) await appendAuditEntriesOfOneChain(api, [one])
  }
  await Promise.all([
    ...Array.from({ length: 50 }, () => change('aaaaa')),
    ...tenants.flatMap((id) => [change(id), change(id)]),
    ...Array.from({ length: 10 }, refusals),
  ])
  for (const id of tenants) {
    expect(await brokenAt(id)).toBeUndefined()
    expect((await headOf(id)).seq).toBe(12)
  }
  expect((await headOf('aaaaa')).seq).toBe(before.seq + 60)
})

test('a tenant in the middle of a change holds up no other tenant’s, and no batch', async () => {
  const [a, b] = [await headOf('aaaaa'), await headOf('bbbbb')]
  await api.transactionOfTenant('aaaaa', async (trx) => {
    await appendAuditEntry(trx, entry('aaaaa'))
    await api.transactionOfTenant('bbbbb', (other) => appendAuditEntry(other, entry('bbbbb')))
    const mine = entry('aaaaa')
    expect(await appendAuditEntries(api, [entry('bbbbb'), mine, entry('bbbbb')])).toEqual([mine])
  })
  expect([(await headOf('aaaaa')).seq, (await headOf('bbbbb')).seq]).toEqual([a.seq + 1, b.seq + 3])
})

test('one call takes so many entries and no more', async () => {
  await expect(appendAuditEntries(api, Array(auditBatchSize + 1).fill(entry('aaaaa')))).rejects.toThrow(RangeError)
  await expect(
    api.pool.query('select append_audit_entries((select jsonb_agg(i) from generate_series(1, 1001) i), true)'),
  ).rejects.toThrow('at most 1000')
})

test('without its head, the fleet’s chain takes nothing, and says so', async () => {
  const remove = async (work: () => Promise<void>) => {
    await admin.query('create table kept as select * from audit_chains where tenant_id is null')
    await admin.query(`set session_replication_role = replica; delete from audit_chains where tenant_id is null;
      set session_replication_role = origin`)
    await work()
    await admin.query('insert into audit_chains select * from kept; drop table kept')
  }
  await remove(async () => {
    await expect(appendAuditEntriesOfOneChain(api, [entry(undefined)])).rejects.toThrow('no head')
  })
  expect(await brokenAt('_fleet')).toBeUndefined()
})

describe('who may do what to the log', () => {
  const roles = [
    'aqueduct_api',
    'aqueduct_signup',
    'aqueduct_operator',
    'aqueduct_provisioner',
    'aqueduct_edge',
  ] as const
  const mayAppend: ReadonlySet<DatabaseRole> = new Set(['aqueduct_api', 'aqueduct_signup', 'aqueduct_operator'])

  async function as(role: DatabaseRole, statement: string, values: unknown[] = []): Promise<string> {
    const client = new Client({ connectionString: testDatabase.roleUrl(role) })
    await client.connect()
    try {
      await client.query(
        "select set_config('aqueduct.tenant_id', 'aaaaa', false), set_config('aqueduct.audit_writer', 'append', false)",
      )
      return await client.query(statement, values).then(
        ({ rowCount }) => `done ${rowCount}`,
        (thrown: Error) => thrown.message,
      )
    } finally {
      await client.end()
    }
  }

  test.each(roles)('%s writes no row by itself', async (role) => {
    for (const table of ['audit_entries', 'audit_chains']) {
      for (const statement of [
        `insert into ${table} select * from ${table}`,
        `update ${table} set hash = hash`,
        `delete from ${table}`,
        `truncate ${table}`,
        `alter table ${table} disable trigger all`,
      ]) {
        expect(await as(role, statement)).toMatch(/permission denied|must be owner/)
      }
    }
    for (const call of ["begin_audit_chain('x', null)", "audit_field('x')", 'audit_microseconds(now())']) {
      expect(await as(role, `select ${call}`)).toContain('permission denied')
    }
    const pruning = await as(role, "select prune_audit_chain('aaaaa', now(), 10)")
    expect(pruning).toContain(role === 'aqueduct_provisioner' ? 'last 30 days stay' : 'permission denied')
    const appended = await as(role, 'select append_audit_entries($1, true)', [
      JSON.stringify([{ tenantId: 'bbbbb', interface: 'edge', outcome: 'PERMISSION_DENIED', recordedBy: 'somebody' }]),
    ])
    if (!mayAppend.has(role)) return expect(appended).toContain('permission denied')
    expect(appended).toBe('done 1')
    const { rows } = await admin.query(
      "select recorded_by from audit_entries where chain = 'bbbbb' order by seq desc limit 1",
    )
    expect(rows).toEqual([{ recorded_by: role }])
  })

  test('the API reads the one tenant’s entries, operators all, and nobody else any', async () => {
    const tenantsSeen = 'select distinct tenant_id from audit_entries'
    expect(await as('aqueduct_api', tenantsSeen)).toBe('done 1')
    expect(await as('aqueduct_operator', tenantsSeen)).not.toBe('done 1')
    for (const role of ['aqueduct_signup', 'aqueduct_provisioner', 'aqueduct_edge'] as const) {
      expect(await as(role, tenantsSeen)).toContain('permission denied')
    }
    expect(await as('aqueduct_api', 'select * from audit_chains')).toContain('permission denied')
  })

  test('the edge tells of refusals alone', async () => {
    const edge = pool(testDatabase.roleUrl('aqueduct_edge'), 2)
    const before = await headOf('bbbbb')
    const { tenantId: _, interface: __, ...rest } = entry('bbbbb', { outcome: 'PERMISSION_DENIED' })
    const source = { nodeId: 'node-1', stream: 'one', number: 1 }
    expect(await appendRefusals(edge, source, 'bbbbb', [rest])).toBe(true)
    expect((await headOf('bbbbb')).seq).toBe(before.seq + 1)
    const next = { ...source, number: 2 }
    await expect(appendRefusals(edge, next, 'bbbbb', [{ ...rest, outcome: 'OK' }])).rejects.toThrow('refusals alone')
    // Nothing of a batch that failed is remembered.
    expect(await appendRefusals(edge, next, 'bbbbb', [rest])).toBe(true)
    await expect(appendAuditEntries(edge, [entry('bbbbb', { outcome: 'NOT_FOUND' })])).rejects.toThrow(
      'permission denied',
    )
  })

  test('a batch of refusals that is sent again appends nothing, and another tenant’s share of it is its own', async () => {
    const edge = pool(testDatabase.roleUrl('aqueduct_edge'), 4)
    const { tenantId: _, interface: __, ...rest } = entry('bbbbb', { outcome: 'PERMISSION_DENIED' })
    const before = await headOf('bbbbb')
    const batch = { nodeId: 'node-2', stream: 'one', number: 7 }
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => appendRefusals(edge, batch, 'bbbbb', [rest, rest])),
    )
    expect(answers.filter(Boolean)).toEqual([true])
    expect((await headOf('bbbbb')).seq).toBe(before.seq + 2)
    expect(await appendRefusals(edge, { ...batch, number: 6 }, 'bbbbb', [rest])).toBe(false)
    expect(await appendRefusals(edge, batch, 'aaaaa', [rest])).toBe(true)
    expect(await appendRefusals(edge, { ...batch, nodeId: 'node-3' }, 'bbbbb', [rest])).toBe(true)
    // Begun anew: it counts from 1 again.
    expect(await appendRefusals(edge, { ...batch, stream: 'two', number: 1 }, 'bbbbb', [rest])).toBe(true)
    expect((await headOf('bbbbb')).seq).toBe(before.seq + 4)
    expect(await as('aqueduct_edge', 'select * from refusal_batches')).toContain('permission denied')
    const foreign = `select append_refusals('n', 'bbbbb', 's', 1, '[{"tenantId": "aaaaa", "interface": "edge"}]')`
    expect(await as('aqueduct_edge', foreign)).toContain('have to be of one tenant')
    expect(await as('aqueduct_api', foreign)).toContain('permission denied')
  })

  test('the owner does not change it by accident', async () => {
    for (const statement of [
      "update audit_entries set reason = 'x'",
      'delete from audit_entries',
      'truncate audit_entries',
      'update audit_chains set seq = 0',
      'delete from audit_chains',
      'truncate audit_chains',
    ]) {
      await expect(admin.query(statement)).rejects.toThrow('append-only')
    }
  })
})
