import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'

/**
 * Takes away operations that ended before this moment, a batch at most. Their ids may be used again then.
 * @returns how many went.
 */
export async function forgetEndedOperations(
  executor: Executor,
  _proof: Authorized<'operation', 'list'>,
  endedBefore: Date,
  batch: number,
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from operations o using (
      select tenant_id, id from operations where finished_at < ${endedBefore}
      order by finished_at limit ${batch} for update skip locked) ended
    where o.tenant_id = ended.tenant_id and o.id = ended.id`.execute(executor)
  return Number(numAffectedRows ?? 0)
}
