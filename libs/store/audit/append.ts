import { sql } from 'kysely'
import type { Database, Executor, Trx } from '../database.ts'
import type { AuditEntry } from './entry.ts'

/** Entries that one call of the append function takes. */
export const auditBatchSize = 1000

/**
 * Appends the entry of a change, in the change's own transaction and as its last statement: the tenant's chain is held
 * from here until the commit, and both are kept or neither.
 */
export async function appendAuditEntry(trx: Trx, entry: AuditEntry): Promise<void> {
  await append(trx, [entry], true)
}

/**
 * Appends what was refused, in one statement. It waits for nobody: entries of a chain that somebody else holds just now
 * come back, for {@link appendAuditEntriesOfOneChain}.
 * @throws RangeError for more entries than {@link auditBatchSize}.
 */
export async function appendAuditEntries(
  database: Database,
  entries: readonly AuditEntry[],
): Promise<readonly AuditEntry[]> {
  const places = await append(database.all, entries, false)
  return places.flatMap((place) => entries[place - 1] ?? [])
}

/** Appends entries of one tenant, or of the fleet, and waits for its chain. Others do not wait for it meanwhile. */
export async function appendAuditEntriesOfOneChain(database: Database, entries: readonly AuditEntry[]): Promise<void> {
  await append(database.all, entries, true)
}

/** One sending of a node: its number ascends within a stream, and a stream is another one when a node begins anew. */
export interface RefusalSource {
  readonly nodeId: string
  readonly stream: string
  readonly number: number
}

/**
 * What the edge refused to one tenant's callers, as the role aqueduct_edge, which may append nothing but this.
 * @param entries at most {@link auditBatchSize}; `interface` is `edge` whatever they say.
 * @returns false when this batch, or a later one of its stream, is there already: nothing was appended.
 */
export async function appendRefusals(
  database: Database,
  { nodeId, stream, number }: RefusalSource,
  tenantId: string,
  entries: readonly Omit<AuditEntry, 'interface' | 'tenantId'>[],
): Promise<boolean> {
  const flattened = entries.map((entry) => flat({ ...entry, tenantId, interface: 'edge' }))
  const { rows } = await sql<{ readonly appended: boolean }>`
    select append_refusals(${nodeId}, ${tenantId}, ${stream}, ${number}::bigint,
      ${JSON.stringify(flattened, storable)}::jsonb) as appended
  `.execute(database.all)
  return rows[0]?.appended ?? false
}

async function append(executor: Executor, entries: readonly AuditEntry[], waiting: boolean): Promise<number[]> {
  if (entries.length === 0) return []
  if (entries.length > auditBatchSize) throw new RangeError(`at most ${auditBatchSize} audit entries at once`)
  const { rows } = await sql<{ readonly left_out: readonly string[] }>`
    select append_audit_entries(${JSON.stringify(entries.map(flat), storable)}::jsonb, ${waiting}) as left_out
  `.execute(executor)
  return (rows[0]?.left_out ?? []).map(Number)
}

function flat({ principal, credential, ...entry }: AuditEntry) {
  return {
    ...entry,
    principalType: principal.type,
    principalId: principal.id,
    principalName: principal.name,
    credentialKind: credential?.kind,
    credentialId: credential?.id,
  }
}

/** Callers choose some of these texts: what Postgres cannot hold must not stop the entries beside it. */
function storable(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\u{FFFD}') : value
}
