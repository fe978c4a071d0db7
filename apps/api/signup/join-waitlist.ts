import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { validateWaitlistEntry, type WaitlistEntrySpec } from '#libs/domain/waitlist'
import type { Database, Trx } from '#libs/store'
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
 * @param written told in the same transaction, last of all.
 * @throws AppError `invalid`
 */
export async function joinWaitlistAs(
  { database }: { readonly database: Database },
  application: WaitlistEntrySpec,
  written: (trx: Trx, entryId: string) => Promise<void>,
): Promise<Applicant> {
  const problems = validateWaitlistEntry(application)
  if (problems.length > 0) throw invalid(problems)
  const proof = authorize({ kind: 'anonymous' }, 'waitlist_entry', 'create', { fleet: true })
  return database.all.transaction().execute(async (trx) => {
    const { id } = await joinWaitlist(trx, proof, application)
    const position = await endOfWaitlist(trx, proof)
    await written(trx, id)
    return { id, position, state: 'waiting' }
  })
}
