import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor, Trx } from '../database.ts'
import type { OrphanKind } from './table.ts'

/** Something in the world that no row owns. */
export interface Unowned {
  readonly kind: OrphanKind
  readonly id: string
  readonly cellId: string
  /** No row, not even a tombstone, knows its cell. */
  readonly stranger: boolean
}

export interface Sighting extends Unowned {
  readonly firstSeenAt: Date
  /** When its deletion was asked for last. */
  readonly askedAt: Date | undefined
}

/**
 * Notes what is unowned in a scope now, which is all of it: what is not named is forgotten, since it is gone or owned. The first
 * sighting of a thing stays, whichever replica made it.
 * @param scope what was listed as a whole.
 * @param kinds those that the listing covers.
 */
export async function recordSightings(
  trx: Trx,
  _proof: Authorized<'orphan', 'update'>,
  { scope, kinds, unowned, at }: { scope: string; kinds: readonly OrphanKind[]; unowned: readonly Unowned[]; at: Date },
): Promise<readonly Sighting[]> {
  const given = JSON.stringify(
    unowned.map(({ kind, id, cellId, stranger }) => ({ kind, id, cell_id: cellId, stranger })),
  )
  await sql`
    delete from sightings s where s.scope = ${scope} and s.kind = any(${[...kinds]}) and not exists (
      select from jsonb_to_recordset(${given}::jsonb) as u (kind text, id text) where u.kind = s.kind and u.id = s.id)
  `.execute(trx)
  if (unowned.length === 0) return []
  const { rows } = await sql<{
    kind: OrphanKind
    id: string
    cell_id: string
    stranger: boolean
    first_seen_at: Date
    asked_at: Date | null
  }>`
    insert into sightings (scope, kind, id, cell_id, stranger, first_seen_at)
    select ${scope}, kind, id, cell_id, stranger, ${at}
    from jsonb_to_recordset(${given}::jsonb) as u (kind text, id text, cell_id text, stranger boolean)
    order by kind, id
    on conflict (scope, kind, id) do update set stranger = excluded.stranger
    returning kind, id, cell_id, stranger, first_seen_at, asked_at`.execute(trx)
  return rows.map((row) => ({
    kind: row.kind,
    id: row.id,
    cellId: row.cell_id,
    stranger: row.stranger,
    firstSeenAt: row.first_seen_at,
    askedAt: row.asked_at ?? undefined,
  }))
}

/** Whether something was ever seen without an owner in this scope: most rounds see nothing, and write nothing. */
export async function hasSightings(
  executor: Executor,
  _proof: Authorized<'orphan', 'update'>,
  scope: string,
): Promise<boolean> {
  const row = await executor.selectFrom('sightings').select('id').where('scope', '=', scope).limit(1).executeTakeFirst()
  return row !== undefined
}

/** Notes that the deletion was asked for, and counts it if this was the first time. */
export async function recordCollected(
  trx: Trx,
  _proof: Authorized<'orphan', 'update'>,
  { scope, kind, id, at }: { scope: string; kind: OrphanKind; id: string; at: Date },
): Promise<'first' | 'again'> {
  const before = await trx
    .selectFrom('sightings')
    .select('asked_at')
    .where('scope', '=', scope)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  // Another replica asked, and saw it gone already.
  if (before === undefined) return 'again'
  await trx
    .updateTable('sightings')
    .set({ asked_at: at })
    .where('scope', '=', scope)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .execute()
  if (before.asked_at !== null) return 'again'
  await sql`
    insert into collected (kind, total, last_at) values (${kind}, 1, ${at})
    on conflict (kind) do update set total = collected.total + 1, last_at = excluded.last_at`.execute(trx)
  return 'first'
}

export interface OrphanSummary {
  readonly kind: OrphanKind
  /** There now, and to be deleted once they are old enough. */
  readonly waiting: number
  /** There now, and left alone. */
  readonly strangers: number
  /** Deleted until now. */
  readonly collected: number
  readonly lastCollectedAt: Date | undefined
}

/** One for every kind that was ever seen. */
export async function summarizeOrphans(
  executor: Executor,
  _proof: Authorized<'orphan', 'list'>,
): Promise<readonly OrphanSummary[]> {
  const { rows } = await sql<{
    kind: OrphanKind
    waiting: number
    strangers: number
    collected: number
    last_at: Date | null
  }>`
    select kind, coalesce(s.waiting, 0)::int as waiting, coalesce(s.strangers, 0)::int as strangers,
      coalesce(c.total, 0)::int as collected, c.last_at
    from (select kind, count(*) filter (where not stranger) as waiting, count(*) filter (where stranger) as strangers
          from sightings group by kind) s
    full join collected c using (kind)
    order by kind`.execute(executor)
  return rows.map(({ last_at, ...row }) => ({ ...row, lastCollectedAt: last_at ?? undefined }))
}

/** What is there now without an owner, in a fixed order, a page of it. */
export async function listSightings(
  executor: Executor,
  _proof: Authorized<'orphan', 'list'>,
  page: { readonly after: readonly [scope: string, kind: string, id: string]; readonly limit: number },
): Promise<readonly (Sighting & { readonly scope: string })[]> {
  const [scope, kind, id] = page.after
  const rows = await executor
    .selectFrom('sightings')
    .selectAll()
    .where(sql<boolean>`(scope, kind, id) > (${scope}, ${kind}, ${id})`)
    .orderBy('scope')
    .orderBy('kind')
    .orderBy('id')
    .limit(page.limit)
    .execute()
  return rows.map((row) => ({
    scope: row.scope,
    kind: row.kind,
    id: row.id,
    cellId: row.cell_id,
    stranger: row.stranger,
    firstSeenAt: row.first_seen_at,
    askedAt: row.asked_at ?? undefined,
  }))
}
