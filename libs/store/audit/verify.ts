import { sql } from 'kysely'
import type { Database, Executor } from '../database.ts'
import { entryHash, genesisHash, type HashedFields } from './entry-hash.ts'
import { auditLogId } from './list.ts'

/** What a chain was like at a moment: kept elsewhere, it shows later that nothing before it was taken back. */
export interface AuditHead {
  readonly chain: string
  readonly seq: number
  /** Lower-case hex. */
  readonly hash: string
}

/** The first thing in a chain that is not as it was written. */
export interface AuditBreak {
  readonly chain: string
  readonly seq: number
  readonly logId: string
  readonly problem: string
}

export type AuditChainReport =
  | { readonly chain: string; readonly entries: number; readonly head: AuditHead }
  | { readonly chain: string; readonly entries: number; readonly broken: AuditBreak }

/** The log as a whole: what is missing from it cannot be told by a chain. */
export interface AuditLogOutline {
  readonly chains: readonly string[]
  readonly entries: number
}

interface Head {
  readonly seq: number
  readonly hash: Buffer
  readonly first_seq: number
  readonly first_previous_hash: Buffer
}

interface Row {
  readonly seq: number
  readonly hash: Buffer
  readonly fields: HashedFields
}

const batch = 2_000

/** Which chains there have to be: one a tenant, the fleet's, those with a head, and those with entries alone. */
export async function outlineAuditLog(database: Database): Promise<AuditLogOutline> {
  const { rows } = await sql<{ readonly chain: string }>`
    select '_fleet' as chain union select id from tenants union select chain from audit_chains
    union select chain from audit_entries order by 1`.execute(database.all)
  const { rows: counted } = await sql<{ readonly entries: number }>`
    select greatest(0, coalesce(sum(seq - first_seq + 1), 0))::bigint as entries from audit_chains`.execute(
    database.all,
  )
  return { chains: rows.map(({ chain }) => chain), entries: counted[0]?.entries ?? 0 }
}

/**
 * Reads one chain from its beginning and looks whether every entry is there and as it was written. Needs a role that
 * sees all rows: the owner of the tables.
 * @param anchor an earlier head of this chain, from somewhere that whoever changes the database cannot reach. Without one,
 * a chain that was rolled back together with its head looks whole.
 * @param onEntries told how many more entries were read.
 */
export async function verifyAuditChain(
  database: Database,
  chain: string,
  anchor: AuditHead | undefined,
  onEntries: (count: number) => void = () => undefined,
): Promise<AuditChainReport> {
  // One snapshot: what is appended meanwhile is not a part of it.
  return database.all
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute((trx) => verifyIn(trx, chain, anchor, onEntries))
}

async function verifyIn(
  executor: Executor,
  chain: string,
  anchor: AuditHead | undefined,
  onEntries: (count: number) => void,
): Promise<AuditChainReport> {
  const head: Head | undefined = await executor
    .selectFrom('audit_chains')
    .select(['seq', 'hash', 'first_seq', 'first_previous_hash'])
    .where('chain', '=', chain)
    .executeTakeFirst()
  const found = (entries: number, [seq, problem]: Finding): AuditChainReport => ({
    chain,
    entries,
    broken: { chain, seq, logId: auditLogId({ chain, seq }), problem },
  })
  if (head === undefined) return found(0, [1, 'the chain has no head: it was removed'])
  const walk = new Walk(chain, head, anchor)
  const early = walk.begin()
  if (early !== undefined) return found(0, early)
  for (let rows = await readRows(executor, chain, undefined); rows.length > 0; ) {
    for (const row of rows) {
      const finding = walk.step(row)
      if (finding !== undefined) return found(walk.entries, finding)
    }
    onEntries(rows.length)
    rows = await readRows(executor, chain, rows.at(-1)?.seq)
  }
  const late = walk.end()
  if (late !== undefined) return found(walk.entries, late)
  return { chain, entries: walk.entries, head: { chain, seq: head.seq, hash: head.hash.toString('hex') } }
}

/** The number of the entry that is wrong, and what is wrong with it. */
type Finding = readonly [seq: number, problem: string]

/** One way through a chain, entry by entry. */
class Walk {
  readonly #chain: string
  readonly #head: Head
  readonly #anchor: AuditHead | undefined
  #expected: number
  #hash: Buffer

  constructor(chain: string, head: Head, anchor: AuditHead | undefined) {
    this.#chain = chain
    this.#head = head
    this.#anchor = anchor
    this.#expected = head.first_seq
    this.#hash = head.first_previous_hash
  }

  get entries(): number {
    return this.#expected - this.#head.first_seq
  }

  begin(): Finding | undefined {
    if (this.#head.first_seq === 1 && !this.#hash.equals(genesisHash(this.#chain))) {
      return [1, 'the head does not begin where this chain began']
    }
    return this.#compareWithAnchor()
  }

  step(row: Row): Finding | undefined {
    const { seq, first_seq: first } = this.#head
    if (row.seq < first) return [row.seq, 'stands before the beginning of the chain: it was inserted']
    if (row.seq > this.#expected) return [this.#expected, `is missing: the next entry is number ${row.seq}`]
    if (row.seq > seq) return [row.seq, `stands after the head, which is number ${seq}: it was inserted`]
    if (!entryHash(this.#hash, row.fields).equals(row.hash)) {
      return [row.seq, 'does not fit its hash and the entry before: it was changed, moved or inserted']
    }
    this.#expected += 1
    this.#hash = row.hash
    return this.#compareWithAnchor()
  }

  end(): Finding | undefined {
    const { seq, hash } = this.#head
    if (this.#expected <= seq) return [this.#expected, `is missing: the head is number ${seq}`]
    if (!hash.equals(this.#hash)) return [seq, 'is not the entry that the head was made of']
    if (this.#anchor === undefined || this.#anchor.seq <= seq) return undefined
    return [seq + 1, `is missing: the anchor names number ${this.#anchor.seq}, and the chain was rolled back`]
  }

  #compareWithAnchor(): Finding | undefined {
    if (this.#anchor?.seq !== this.#expected - 1 || this.#anchor.hash === this.#hash.toString('hex')) return undefined
    return [this.#anchor.seq, 'is not the entry that the anchor names: the chain was written anew']
  }
}

async function readRows(executor: Executor, chain: string, after: number | undefined): Promise<readonly Row[]> {
  const microseconds = (column: 'emit_time' | 'occurred_at') =>
    sql`((extract(epoch from ${sql.ref(column)}) * 1000000)::bigint)::text`
  const { rows } = await sql<Row>`
    select seq, hash, array[chain, seq::text, version::text, ${microseconds('emit_time')}, ${microseconds('occurred_at')},
      tenant_id, recorded_by, interface, operation, principal_type, principal_id, principal_name, credential_kind,
      credential_id, source_address, target::text, outcome, reason, request_id, async_operation_id, repeats::text,
      details::text] as fields
    from audit_entries where chain = ${chain} and (seq > ${after ?? null}::bigint or ${after ?? null}::bigint is null) order by seq limit ${batch}`.execute(
    executor,
  )
  return rows
}
