import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { validateWaitlistEntry, type WaitlistEntrySpec } from '#libs/domain/waitlist'
import type { Database } from '#libs/store'
import { endOfWaitlist, joinWaitlist } from '#libs/store/waitlist'

export interface Applicant {
  readonly id: string
  readonly position: number
  readonly state: 'waiting'
}

/**
 * Joins the waitlist. Whoever asks need not own the address, so the answer is what a newcomer would get, whatever
 * became of the entry: its id is random and stays the same, `position` is the end of the line, `state` is `waiting`.
 * What was decided, the mail says.
 * @throws AppError `invalid`
 */
export async function joinWaitlistAs(
  { database }: { readonly database: Database },
  application: WaitlistEntrySpec,
): Promise<Applicant> {
  const problems = validateWaitlistEntry(application)
  if (problems.length > 0) throw invalid(problems)
  const proof = authorize({ kind: 'anonymous' }, 'waitlist_entry', 'create', { fleet: true })
  return database.all.transaction().execute(async (trx) => {
    const { id } = await joinWaitlist(trx, proof, application)
    return { id, position: await endOfWaitlist(trx, proof), state: 'waiting' }
  })
}
