import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '#libs/store'
import {
  type AuditEntry,
  type AuditHead,
  appendAuditEntriesOfOneChain,
  entryHash,
  genesisHash,
  outlineAuditLog,
  pruneAuditLog,
  verifyAuditChain,
} from '#libs/store/audit'
import type { TestDatabase } from '../../harness/postgres.ts'
import { AuditFixture } from './audit-fixture.ts'

let fixture: AuditFixture
let testDatabase: TestDatabase
let admin: Client
let owner: Database
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
  owner = fixture.owner
  api = pool(testDatabase.roleUrl('aqueduct_api'), 4)
})
afterAll(() => fixture.close())

describe('what a superuser does to the rows is found', () => {
  let tenant = ''
  let anchor: AuditHead
  let count = 0
  beforeEach(async () => {
    count += 1
    tenant = `tamper${count}`
    await newTenant(tenant)
    await appendAuditEntriesOfOneChain(
      api,
      Array.from({ length: 6 }, () => entry(tenant)),
    )
    anchor = await headOf(tenant)
    expect(anchor.seq).toBe(6)
  })

  async function tamper(...statements: readonly string[]): Promise<void> {
    await admin.query('begin')
    await admin.query('set local session_replication_role = replica')
    for (const statement of statements) await admin.query(statement.replaceAll('$tenant', `'${tenant}'`))
    await admin.query('commit')
  }

  const columns = [
    "emit_time = emit_time + interval '1 microsecond'",
    "occurred_at = occurred_at + interval '1 microsecond'",
    "tenant_id = 'bbbbb'",
    'tenant_id = null',
    'version = 2',
    "recorded_by = 'x'",
    "interface = 'edge'",
    "operation = 'GetNamespace'",
    "principal_type = 'operator'",
    "principal_id = 'usr-b'",
    "principal_name = 'b'",
    "credential_kind = ''",
    "credential_id = 'key-2'",
    "source_address = '127.0.0.2'",
    "target = '{}'",
    "outcome = 'NOT_FOUND'",
    "reason = 'x'",
    "request_id = ''",
    "async_operation_id = 'x'",
    'repeats = 2',
    'details = \'{"a":1}\'',
    "hash = sha256('x')",
  ]
  test.each(columns)('a field changed: %s', async (change) => {
    await tamper(`update audit_entries set ${change} where chain = $tenant and seq = 3`)
    expect(await brokenAt(tenant)).toMatchObject({ seq: 3, logId: `log-${tenant}-000000000003` })
  })

  test('text moved from one field to its neighbour', async () => {
    await tamper("update audit_entries set reason = request_id, request_id = '' where chain = $tenant and seq = 3")
    expect(await brokenAt(tenant)).toMatchObject({ seq: 3 })
  })

  test('a row deleted in the middle', async () => {
    await tamper('delete from audit_entries where chain = $tenant and seq = 4')
    expect(await brokenAt(tenant)).toMatchObject({ seq: 4, problem: expect.stringContaining('is missing') })
  })

  test('one deleted, and the others moved up', async () => {
    await tamper(
      'delete from audit_entries where chain = $tenant and seq = 4',
      'update audit_entries set seq = seq - 1 where chain = $tenant and seq > 4',
    )
    expect(await brokenAt(tenant)).toMatchObject({ seq: 4 })
  })

  test('the last one deleted', async () => {
    await tamper('delete from audit_entries where chain = $tenant and seq = 6')
    expect(await brokenAt(tenant)).toMatchObject({ seq: 6, problem: expect.stringContaining('the head is number 6') })
  })

  test('all deleted', async () => {
    await tamper('delete from audit_entries where chain = $tenant')
    expect(await brokenAt(tenant)).toMatchObject({ seq: 1 })
  })

  test('two swapped', async () => {
    await tamper(
      'update audit_entries set seq = 100 where chain = $tenant and seq = 2',
      'update audit_entries set seq = 2 where chain = $tenant and seq = 5',
      'update audit_entries set seq = 5 where chain = $tenant and seq = 100',
    )
    expect(await brokenAt(tenant)).toMatchObject({ seq: 2 })
  })

  const copied = (
    seq: string,
  ) => `insert into audit_entries select (jsonb_populate_record(e, jsonb_build_object('seq', ${seq}))).*
    from audit_entries e where chain = $tenant and seq = 3`

  test('one inserted in the middle', async () => {
    await tamper(
      'update audit_entries set seq = -seq where chain = $tenant and seq > 3',
      'update audit_entries set seq = 1 - seq where chain = $tenant and seq < 0',
      copied('4'),
    )
    expect(await brokenAt(tenant)).toMatchObject({ seq: 4 })
  })

  test('one inserted at the end, or before the beginning', async () => {
    await tamper(copied('7'))
    expect(await brokenAt(tenant)).toMatchObject({ seq: 7, problem: expect.stringContaining('after the head') })
    await tamper(copied('0'))
    expect(await brokenAt(tenant)).toMatchObject({ seq: 0, problem: expect.stringContaining('before the beginning') })
  })

  test('a head that was removed, or points elsewhere', async () => {
    await tamper("update audit_chains set hash = sha256('x') where chain = $tenant")
    expect(await brokenAt(tenant)).toMatchObject({ seq: 6, problem: expect.stringContaining('head') })
    await tamper('delete from audit_chains where chain = $tenant')
    expect(await brokenAt(tenant)).toMatchObject({ seq: 1, problem: expect.stringContaining('no head') })
    expect((await outlineAuditLog(owner)).chains).toContain(tenant)
  })

  test('the beginning cut off, as if it were pruned', async () => {
    await tamper(
      'update audit_chains set first_previous_hash = (select hash from audit_entries e where e.chain = $tenant and e.seq = 2) where chain = $tenant',
      'delete from audit_entries where chain = $tenant and seq <= 2',
    )
    expect(await brokenAt(tenant)).toMatchObject({ seq: 1 })
  })

  const rollBack = [
    'delete from audit_entries where chain = $tenant and seq > 4',
    'update audit_chains set seq = 4, hash = (select hash from audit_entries e where e.chain = $tenant and e.seq = 4) where chain = $tenant',
  ]
  test('head and rows rolled back together are found by an anchor alone', async () => {
    await tamper(...rollBack)
    expect(await brokenAt(tenant)).toBeUndefined()
    expect(await brokenAt(tenant, anchor)).toMatchObject({ seq: 5, problem: expect.stringContaining('rolled back') })
  })

  test('a history written anew is found by an anchor alone', async () => {
    await tamper(...rollBack)
    await appendAuditEntriesOfOneChain(
      api,
      Array.from({ length: 5 }, () => entry(tenant)),
    )
    expect(await brokenAt(tenant)).toBeUndefined()
    expect(await brokenAt(tenant, anchor)).toMatchObject({ seq: 6, problem: expect.stringContaining('anew') })
  })

  test('an anchor that is true says nothing', async () => {
    await appendAuditEntriesOfOneChain(api, [entry(tenant)])
    expect(await brokenAt(tenant, anchor)).toBeUndefined()
  })

  test('what is old is pruned from the beginning on, and the rest still verifies', async () => {
    const provisioner = pool(testDatabase.roleUrl('aqueduct_provisioner'), 2)
    const young = await pruneAuditLog(provisioner, new Date(Date.now() - 31 * 86_400_000))
    expect(young).toBe(0)
    expect((await headOf(tenant)).seq).toBe(6)
    await backdate(tenant, 4)
    expect(await brokenAt(tenant)).toBeUndefined()
    const rewritten = await headOf(tenant)
    expect(await pruneAuditLog(provisioner, new Date(Date.now() - 40 * 86_400_000))).toBe(4)
    const report = await verifyAuditChain(owner, tenant, rewritten)
    expect(report).toEqual({ chain: tenant, entries: 2, head: rewritten })
    await appendAuditEntriesOfOneChain(api, [entry(tenant)])
    expect(await brokenAt(tenant, rewritten)).toBeUndefined()
    await tamper('delete from audit_entries where chain = $tenant and seq = 5')
    expect(await brokenAt(tenant)).toMatchObject({ seq: 5 })
  })

  /** Gives the first entries a time two months ago, and every hash what follows from that. */
  async function backdate(chain: string, upTo: number): Promise<void> {
    await tamper(
      `update audit_entries set emit_time = emit_time - interval '60 days' where chain = $tenant and seq <= ${upTo}`,
    )
    const us = (column: string) => `((extract(epoch from ${column}) * 1000000)::bigint)::text`
    const { rows } = await admin.query<{ seq: string; fields: string[] }>(
      `select seq, array[chain, seq::text, version::text, ${us('emit_time')}, ${us('occurred_at')}, tenant_id, recorded_by,
         interface, operation, principal_type, principal_id, principal_name, credential_kind, credential_id, source_address,
         target::text, outcome, reason, request_id, async_operation_id, repeats::text, details::text] as fields
       from audit_entries where chain = $1 order by seq`,
      [chain],
    )
    let hash = genesisHash(chain)
    for (const { seq, fields } of rows) {
      hash = entryHash(hash, fields)
      await tamper(
        `update audit_entries set hash = '\\x${hash.toString('hex')}' where chain = $tenant and seq = ${seq}`,
      )
    }
    await tamper(`update audit_chains set hash = '\\x${hash.toString('hex')}' where chain = $tenant`)
  }
})
