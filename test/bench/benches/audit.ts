import { sql } from 'kysely'
import { newId } from '#libs/base'
import { Database, type Trx } from '#libs/store'
import { type AuditEntry, appendAuditEntries, appendAuditEntriesOfOneChain, appendAuditEntry } from '#libs/store/audit'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Scene } from '../scene.ts'
import { median, ratioOf } from '../statistics.ts'

const tenantCount = 100
const connections = 16
/** Entries of a batch of refusals, and batches under way at once: one a process, and two processes. */
const batchSize = 500
const writers = 2

/**
 * How fast the audit log takes entries: of changes, each the last statement of a transaction of its own, and of refusals,
 * many in a statement. The floor inserts rows of the same content into a table with the same indexes, and neither hashes
 * nor holds a head. In the third row all changes are one tenant's, who then have to wait for each other.
 */
export async function benchAudit({ installation, screen, quick }: Scene): Promise<readonly Measurement[]> {
  const database = new Database({
    url: installation.adminUrl,
    poolSize: connections,
    applicationName: 'aqueduct-bench-audit',
  })
  try {
    const { rows } = await sql<{ id: string }>`
      insert into tenants (id, name) select 'bench' || i, 'bench' from generate_series(1, ${tenantCount}) i
      on conflict (id) do update set name = 'bench' returning id`.execute(database.all)
    const tenants = rows.map(({ id }) => id)
    await sql`create table bench_plain_entries (like audit_entries including indexes)`.execute(database.all)
    const forMs = quick ? 1_500 : 4_000
    const one = tenants.slice(0, 1)
    const measured = await alternate(screen, quick ? 3 : 5, {
      changes: () => rate(connections, forMs, (i) => changeOf(database, entryOf(tenants, i))),
      plainChanges: () => rate(connections, forMs, (i) => inTransaction(database, (trx) => plain(trx, tenants, i, 1))),
      oneTenant: () => rate(connections, forMs, (i) => changeOf(database, entryOf(one, i))),
      refusals: () => rate(writers, forMs, (i) => refusalsOf(database, tenants, i)),
      plainRefusals: () =>
        rate(writers, forMs, (i) => inTransaction(database, (trx) => plain(trx, tenants, i, batchSize))),
    })
    const refusals = measured.refusals.map((perSecond) => perSecond * batchSize)
    const plainRefusals = measured.plainRefusals.map((perSecond) => perSecond * batchSize)
    const note = `Floor: rows of the same content into a table with the same indexes, in transactions of the same size. Changes: one entry a transaction, ${connections} at once. Refusals: ${batchSize} entries a transaction, ${writers} at once.`
    // A change pays for its commit whether it is written down or not: what counts is what the entry adds to it.
    const half = { of: 'ratio', is: 'at least', value: 0.5 } as const
    const target = { of: 'ours', is: 'at least', value: 2_000 } as const
    return [
      row(`Audit entries of changes, ${tenantCount} tenants`, measured.changes, measured.plainChanges, {
        note,
        target: half,
      }),
      row(`Audit entries of refusals, ${tenantCount} tenants`, refusals, plainRefusals, { note, target }),
      row('Audit entries of changes, one tenant', measured.oneTenant, measured.plainChanges, { note }),
    ]
  } finally {
    await sql`drop table if exists bench_plain_entries`.execute(database.all)
    await database.close()
  }
}

function row(
  name: string,
  ours: readonly number[],
  floor: readonly number[],
  more: Pick<Measurement, 'note' | 'target'>,
): Measurement {
  return { name, unit: '/s', ours: median(ours), floor: median(floor), ratio: ratioOf(ours, floor), ...more }
}

/** Calls a second that `atOnce` loops make together. */
async function rate(atOnce: number, forMs: number, call: (index: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  let made = 0
  let next = 0
  const loop = async () => {
    while (performance.now() - began < forMs) {
      next += 1
      await call(next)
      made += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, loop))
  return made / ((performance.now() - began) / 1000)
}

function inTransaction<Result>(database: Database, work: (trx: Trx) => Promise<Result>): Promise<Result> {
  return database.all.transaction().execute(work)
}

function changeOf(database: Database, entry: AuditEntry): Promise<void> {
  return inTransaction(database, (trx) => appendAuditEntry(trx, entry))
}

/** As the API's writer does it: at once what nobody holds, the rest one chain after the other. */
async function refusalsOf(database: Database, tenants: readonly string[], index: number): Promise<void> {
  const entries = Array.from({ length: batchSize }, (_, place) => entryOf(tenants, index * batchSize + place))
  const left = await appendAuditEntries(database, entries)
  for (const [, ofOne] of Map.groupBy(left, ({ tenantId }) => tenantId)) {
    await appendAuditEntriesOfOneChain(database, ofOne)
  }
}

function entryOf(tenants: readonly string[], index: number): AuditEntry {
  const tenantId = tenants[index % tenants.length] ?? ''
  return {
    tenantId,
    interface: 'cloud_grpc',
    operation: 'UpdateNamespace',
    principal: { type: 'user', id: 'usr-abcdefghijkmnpqrstuv' },
    credential: { kind: 'api_key', id: 'key-abcdefghijkmnpqrstuv' },
    sourceAddress: '198.51.100.7',
    target: { namespace: `payments.${tenantId}` },
    outcome: 'OK',
    requestId: newId('log'),
    asyncOperationId: newId('log'),
  }
}

let sequence = 0

async function plain(trx: Trx, tenants: readonly string[], index: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, place) => {
    const { principal, credential, ...entry } = entryOf(tenants, index * count + place)
    sequence += 1
    return {
      chain: entry.tenantId,
      seq: sequence,
      version: 1,
      emit_time: new Date(),
      occurred_at: new Date(),
      tenant_id: entry.tenantId,
      recorded_by: 'aqueduct_api',
      interface: entry.interface,
      operation: entry.operation,
      principal_type: principal.type,
      principal_id: principal.id,
      principal_name: 'somebody@example.com',
      credential_kind: credential?.kind,
      credential_id: credential?.id,
      source_address: entry.sourceAddress,
      target: entry.target,
      outcome: entry.outcome,
      reason: '',
      request_id: entry.requestId,
      async_operation_id: entry.asyncOperationId,
      repeats: 1,
      details: {},
      hash: `\\x${'ab'.repeat(32)}`,
    }
  })
  await sql`insert into bench_plain_entries
    select * from jsonb_populate_recordset(null::bench_plain_entries, ${JSON.stringify(rows)}::jsonb)`.execute(trx)
}
