import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import type { WaitlistEntriesTable } from './table.ts'

export type WaitlistEntryRow = Selectable<WaitlistEntriesTable>

export interface Application {
  readonly email: string
  readonly company: string
  readonly useCase: string
}

/** Joins, or finds the entry of who joined before: a person asks twice without harm, and changes nothing by it. */
export async function joinWaitlist(
  executor: Executor,
  _proof: Authorized<'waitlist_entry', 'create'>,
  application: Application,
): Promise<WaitlistEntryRow> {
  const row = await executor
    .insertInto('waitlist_entries')
    .values({
      id: newId('wl'),
      email: application.email,
      company: application.company,
      use_case: application.useCase,
      decided_by: null,
      decided_at: null,
    })
    .onConflict((conflict) => conflict.expression(sql`lower(email)`).doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  return executor
    .selectFrom('waitlist_entries')
    .selectAll()
    .where((eb) => eb(eb.fn<string>('lower', ['email']), '=', application.email.toLowerCase()))
    .executeTakeFirstOrThrow()
}

/** How many wait in front of this entry, plus one; 0 once it is decided. */
export async function waitlistPosition(executor: Executor, row: WaitlistEntryRow): Promise<number> {
  if (row.state !== 'waiting') return 0
  const { ahead } = await executor
    .selectFrom('waitlist_entries')
    .select((eb) => eb.fn.countAll<number>().as('ahead'))
    .where('state', '=', 'waiting')
    .where('number', '<', row.number)
    .executeTakeFirstOrThrow()
  return ahead + 1
}

/** First come, first listed. */
export async function listWaitlist(
  executor: Executor,
  _proof: Authorized<'waitlist_entry', 'list'>,
  page: { readonly state: WaitlistEntryRow['state'] | undefined; readonly after: number; readonly limit: number },
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

/** @throws AppError `not_found` */
export async function getWaitlistEntry(
  executor: Executor,
  proof: Authorized<'waitlist_entry', 'read'> | Authorized<'waitlist_entry', 'update'>,
): Promise<WaitlistEntryRow> {
  const { entryId } = proof.target
  const row = await executor.selectFrom('waitlist_entries').selectAll().where('id', '=', entryId).executeTakeFirst()
  if (row === undefined) throw notFound('waitlist entry', entryId)
  return row
}

/** Approves or rejects. @throws AppError `not_found`; `precondition` when the opposite was decided before. */
export async function decideWaitlistEntry(
  trx: Trx,
  proof: Authorized<'waitlist_entry', 'update'>,
  decision: 'approved' | 'rejected',
): Promise<WaitlistEntryRow> {
  const row = await trx
    .updateTable('waitlist_entries')
    .set({ state: decision, decided_by: proof.actor.id, decided_at: new Date() })
    .where('id', '=', proof.target.entryId)
    .where('state', '=', 'waiting')
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const present = await getWaitlistEntry(trx, proof)
  throw new AppError('precondition', `waitlist entry ${JSON.stringify(present.id)} is ${present.state} already`)
}
