import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Database, type DatabaseRole } from '#libs/store'
import {
  type AuditEntry,
  type AuditHead,
  appendAuditEntries,
  appendAuditEntriesOfOneChain,
  appendAuditEntry,
  appendRefusals,
  auditBatchSize,
  entryHash,
  genesisHash,
  outlineAuditLog,
  pruneAuditLog,
  verifyAuditChain,
} from '#libs/store/audit'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

let testDatabase: TestDatabase
let admin: Client
let owner: Database
let api: Database
const pools: Database[] = []

beforeAll(async () => {
  testDatabase = await createTestDatabase()
  admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  owner = pool(testDatabase.adminUrl, 2)
  api = pool(testDatabase.roleUrl('aqueduct_api'), 16)
  for (const id of ['aaaaa', 'bbbbb']) await newTenant(id)
})
afterAll(async () => {
  for (const each of pools) await each.close()
  await admin.end()
  await testDatabase.drop()
})

function pool(url: string, poolSize: number): Database {
  const made = new Database({ url, poolSize, applicationName: 'audit' })
  pools.push(made)
  return made
}

async function newTenant(id: string): Promise<void> {
  await admin.query('insert into tenants (id, name) values ($1, $1)', [id])
  await admin.query(
    "insert into users (id, tenant_id, email, account_role) values ('usr-' || $1, $1, $1 || '@x.test', 'owner')",
    [id],
  )
}

let made = 0
function entry(tenantId: string | undefined, more: Partial<AuditEntry> = {}): AuditEntry {
  made += 1
  return {
    ...(tenantId === undefined ? {} : { tenantId }),
    interface: 'cloud_rest',
    operation: 'CreateNamespace',
    principal: { type: 'user', id: `usr-${tenantId}` },
    credential: { kind: 'api_key', id: 'key-1' },
    sourceAddress: '127.0.0.1',
    target: { namespaceId: `n${made}.${tenantId}` },
    outcome: 'OK',
    requestId: `request-${made}`,
    ...more,
  }
}

/** Undefined when the chain is whole. */
async function brokenAt(chain: string, anchor?: AuditHead) {
  const report = await verifyAuditChain(owner, chain, anchor)
  return 'broken' in report ? report.broken : undefined
}

async function headOf(chain: string): Promise<AuditHead> {
  const report = await verifyAuditChain(owner, chain, undefined)
  if ('broken' in report) throw new Error(report.broken.problem)
  return report.head
}

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
  const mayAppend: ReadonlySet<DatabaseRole> = new Set([
    'aqueduct_api',
    'aqueduct_signup',
    'aqueduct_operator',
    'aqueduct_edge',
  ])

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
    await appendRefusals(edge, [{ ...rest, tenantId: 'bbbbb' }])
    expect((await headOf('bbbbb')).seq).toBe(before.seq + 1)
    await expect(appendRefusals(edge, [{ ...rest, tenantId: 'bbbbb', outcome: 'OK' }])).rejects.toThrow(
      'refusals alone',
    )
    await expect(appendAuditEntries(edge, [entry('bbbbb', { outcome: 'NOT_FOUND' })])).rejects.toThrow('refusals alone')
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
