import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'
import type { AuditEntriesTable } from './table.ts'

export type AuditEntryRow = Selectable<AuditEntriesTable>

/** Unique over all chains, and within a chain ascending with the time. */
export function auditLogId({ chain, seq }: Pick<AuditEntryRow, 'chain' | 'seq'>): string {
  return `log-${chain}-${String(seq).padStart(12, '0')}`
}

/** Where a page ended: the key of its last entry. */
export interface AuditPlace {
  readonly chain: string
  readonly seq: number
}

/**
 * The tenant's entries of a time, oldest first. In one chain time and number ascend together, so that this is also the
 * order of time and log id. A page that ended at the end goes on with what was appended since: nothing is ever
 * appended before it.
 */
export async function listAuditEntries(
  executor: Executor,
  { target }: Authorized<'audit_log', 'list'>,
  page: { readonly from: Date; readonly to: Date; readonly after: AuditPlace | undefined; readonly limit: number },
): Promise<readonly AuditEntryRow[]> {
  let query = executor
    .selectFrom('audit_entries')
    .selectAll()
    .where('chain', '=', target.tenantId)
    .where('tenant_id', '=', target.tenantId)
    .where('emit_time', '>=', page.from)
    .where('emit_time', '<', page.to)
    .orderBy('emit_time')
    .orderBy('seq')
    .limit(page.limit)
  if (page.after !== undefined) {
    const { chain, seq } = page.after
    // Looked up here: a Date has milliseconds, and would skip what was appended in the same one.
    query = query.where(
      sql<boolean>`(emit_time, seq) > ((select a.emit_time from audit_entries a
        where a.chain = ${chain} and a.seq = ${seq}), ${seq}::bigint)`,
    )
  }
  return query.execute()
}

/** What operators ask for: everybody's entries, newest first. */
export async function listFleetAuditEntries(
  executor: Executor,
  _proof: Authorized<'fleet_audit_log', 'list'>,
  page: {
    readonly tenantId: string | undefined
    readonly principalId: string | undefined
    readonly from: Date | undefined
    readonly to: Date | undefined
    readonly before: AuditPlace | undefined
    readonly limit: number
  },
): Promise<readonly AuditEntryRow[]> {
  let query = executor
    .selectFrom('audit_entries')
    .selectAll()
    .orderBy('emit_time', 'desc')
    .orderBy('chain', 'desc')
    .orderBy('seq', 'desc')
    .limit(page.limit)
  if (page.tenantId !== undefined) query = query.where('chain', '=', page.tenantId)
  if (page.principalId !== undefined) query = query.where('principal_id', '=', page.principalId)
  if (page.from !== undefined) query = query.where('emit_time', '>=', page.from)
  if (page.to !== undefined) query = query.where('emit_time', '<', page.to)
  if (page.before !== undefined) {
    const { chain, seq } = page.before
    // The first condition says nothing new; it is the one that an index by chain and time can begin at.
    query = query.where(
      sql<boolean>`emit_time <= (select a.emit_time from audit_entries a where a.chain = ${chain} and a.seq = ${seq})
        and (emit_time, chain, seq) < (select a.emit_time, a.chain, a.seq from audit_entries a
        where a.chain = ${chain} and a.seq = ${seq})`,
    )
  }
  return query.execute()
}
