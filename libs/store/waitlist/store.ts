import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import { type WaitlistEntrySpec, type WaitlistState, waitlistEntryMayBecome } from '#libs/domain/waitlist'
import type { Executor, Trx } from '../database.ts'
import type { WaitlistEntriesTable } from './table.ts'

export type WaitlistEntryRow = Selectable<WaitlistEntriesTable>

/**
 * Joins, or finds the entry of who joined before: a person asks twice without harm, and changes nothing by it but the
 * count of applications. Both ways write one row, so that they take alike long.
 */
export async function joinWaitlist(
  executor: Executor,
  _proof: Authorized<'waitlist_entry', 'create'>,
  application: WaitlistEntrySpec,
): Promise<WaitlistEntryRow> {
  return executor
    .insertInto('waitlist_entries')
    .values({
      id: newId('wl'),
      email: application.email,
      company: application.company,
      use_case: application.useCase,
      decided_by: null,
      decided_at: null,
    })
    .onConflict((conflict) =>
      conflict
        .expression(sql`lower(email)`)
        .doUpdateSet((eb) => ({ applications: eb('waitlist_entries.applications', '+', 1) })),
    )
    .returningAll()
    .executeTakeFirstOrThrow()
}

/**
 * The end of the line, as an applicant is told: every application so far, repeats too, less the entries that were
 * decided. It moves by one with each application, be the address new or not: from the true place in the line, and from
 * how it grows, anybody could tell whose address is on the list.
 */
export async function endOfWaitlist(
  executor: Executor,
  _proof: Authorized<'waitlist_entry', 'create'>,
): Promise<number> {
  const { position } = await executor
    .selectFrom('waitlist_entries')
    .select(sql<number>`(sum(applications) - count(*) filter (where state <> 'waiting'))::bigint`.as('position'))
    .executeTakeFirstOrThrow()
  return Math.max(1, position)
}

/** First come, first listed. */
export async function listWaitlist(
  executor: Executor,
  _proof: Authorized<'waitlist_entry', 'list'>,
  page: { readonly state: WaitlistState | undefined; readonly after: number; readonly limit: number },
): Promise<readonly WaitlistEntryRow[]> {
  let query = executor
    .selectFrom('waitlist_entries')
    .selectAll()
    .where('number', '>', page.after)
    .orderBy('number')
    .limit(page.limit)
  if (page.state !== undefined) query = query.where('state', '=', page.state)
  return query.execute()
}

/**
 * Approves or rejects. Saying it twice changes nothing. The row stays locked until the end of the transaction: of two
 * who decide at once, the second sees what the first decided.
 * @throws AppError `not_found`; `precondition` when an approved entry is to be rejected.
 */
export async function decideWaitlistEntry(
  trx: Trx,
  proof: Authorized<'waitlist_entry', 'update'>,
  decision: 'approved' | 'rejected',
): Promise<WaitlistEntryRow> {
  const { entryId } = proof.target
  const present = await trx
    .selectFrom('waitlist_entries')
    .selectAll()
    .where('id', '=', entryId)
    .forUpdate()
    .executeTakeFirst()
  if (present === undefined) throw notFound('waitlist entry', entryId)
  if (present.state === decision) return present
  if (!waitlistEntryMayBecome(present.state, decision)) {
    throw new AppError('precondition', `waitlist entry ${JSON.stringify(entryId)} is ${present.state} already`)
  }
  return trx
    .updateTable('waitlist_entries')
    .set({ state: decision, decided_by: proof.actor.id, decided_at: new Date() })
    .where('id', '=', entryId)
    .returningAll()
    .executeTakeFirstOrThrow()
}
