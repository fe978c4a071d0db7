import { systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { keepOperationsMs } from '#libs/domain/operations'
import type { Database } from '#libs/store'
import { forgetEndedOperations } from '#libs/store/operations'

export interface EndedOperationsDeps {
  readonly database: Database
  readonly clock: Clock
}

const system = systemActor('ended-operations')
/** Rows of one statement: others that write operations do not wait for it for long. */
const batch = 1_000

/**
 * Forgets operations that ended long ago: nobody polls them any more, and a tenant that changes something all day long
 * would fill the disk with them.
 * @returns how many went.
 */
export async function forgetOldOperations({ database, clock }: EndedOperationsDeps): Promise<number> {
  const proof = system.authorize('operation', 'list', { fleet: true })
  const before = new Date(clock.now().getTime() - keepOperationsMs)
  let forgotten = 0
  for (let some = batch; some >= batch; forgotten += some) {
    some = await forgetEndedOperations(database.all, proof, before, batch)
  }
  return forgotten
}
