import { sql } from 'kysely'
import { type PaceLimit, paceOf } from '#libs/domain/tenants'
import type { Executor } from '../database.ts'

/** A replica's wish to admit calls of one subject. */
export interface LeaseWish {
  /** The tenant's id, or a principal's. */
  readonly subject: string
  readonly limit: PaceLimit
  /** Calls that wait for it; the lease may be for more, see {@link leaseShare}. */
  readonly calls: number
}

export interface RequestLease {
  /** Calls that may be admitted. */
  readonly granted: number
  readonly perSecond: number
  /** Milliseconds until the bucket is empty, should nobody ask any more: a full one takes a second. */
  readonly backlogMs: number
}

/**
 * A lease is for a sixteenth of a second's calls, or for as many as wait: more would sit unused in replicas, less would
 * have the database asked at each call.
 */
export const leaseShare = 1 / 16

const defaults = paceOf({})

/**
 * Takes calls out of the buckets of one tenant, in one statement. Each bucket leaks `perSecond` calls a second and holds
 * a second's worth, by the database's clock alone: what all replicas are granted in any time t is at most
 * `perSecond × (t + 1 s)`. No proof is asked for: this comes before anybody knows who the caller is, and says nothing.
 * @returns the leases by subject; a subject is missing when there is no such tenant.
 */
export async function leaseRequests(
  executor: Executor,
  tenantId: string,
  wishes: readonly LeaseWish[],
): Promise<ReadonlyMap<string, RequestLease>> {
  const column = <Key extends keyof LeaseWish>(key: Key) => wishes.map((wish) => wish[key])
  // In the order of their names, so that two replicas that want the same rows do not wait for each other crosswise.
  const { rows } = await sql<{ subject: string; granted: number; per_second: number; backlog_ms: number }>`
    insert into request_buckets as b (tenant_id, subject, per_second, empty_at, asked_at, granted)
    select tenant_id, subject, per_second, now + make_interval(secs => wanted / per_second::float8), now, wanted
    from (
      select t.id as tenant_id, w.subject, pace.per_second, clock.now,
        least(pace.per_second, greatest(w.calls, ceil(pace.per_second * ${leaseShare}::float8)::integer)) as wanted
      from tenants t
      cross join (select clock_timestamp() as now) clock
      cross join unnest(${column('subject')}::text[], ${column('limit')}::text[],
        ${wishes.map(({ limit }) => defaults[limit])}::integer[], ${column('calls')}::integer[])
        as w (subject, name, usual, calls)
      cross join lateral (select coalesce((t.limits ->> w.name)::integer, w.usual) as per_second) pace
      where t.id = ${tenantId}
      order by w.subject
    ) wishes
    on conflict (tenant_id, subject) do update set
      per_second = excluded.per_second,
      asked_at = excluded.asked_at,
      granted = ${room},
      empty_at = greatest(b.empty_at, excluded.asked_at) + make_interval(secs => ${room} / excluded.per_second::float8)
    returning subject, granted, per_second, extract(epoch from empty_at - asked_at)::float8 * 1000 as backlog_ms`.execute(
    executor,
  )
  return new Map(
    rows.map((row) => [
      row.subject,
      { granted: row.granted, perSecond: row.per_second, backlogMs: Math.max(0, row.backlog_ms) },
    ]),
  )
}

/** As many of the wanted calls as the bucket has room for. A millionth more, since times have microseconds. */
const room = sql`least(excluded.granted, greatest(0, floor(1e-3 + excluded.per_second * (1 -
  extract(epoch from greatest(b.empty_at, excluded.asked_at) - excluded.asked_at)::float8))::integer))`

/** Forgets buckets that nobody asked for in an hour: they are empty, and so is one that is not there. */
export async function forgetIdleBuckets(executor: Executor): Promise<void> {
  await sql`delete from request_buckets where empty_at < now() - interval '1 hour'`.execute(executor)
}
