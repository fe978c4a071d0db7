import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import type { Trx } from '../database.ts'

/**
 * Has another machine take the node's place: its cell brings up one more, lets this one drain, and deletes it. One that has to
 * go anyway keeps its reason.
 * @returns the id of its cell.
 * @throws AppError `not_found`, and `precondition` when it goes already.
 */
export async function replaceNode(
  trx: Trx,
  proof: Authorized<'node', 'replace'>,
  reason: string,
  at: Date,
): Promise<string> {
  const { nodeId } = proof.target
  const row = await trx
    .selectFrom('nodes')
    .select(['cell_id', 'state', 'retire_reason'])
    .where('id', '=', nodeId)
    .executeTakeFirst()
  if (row === undefined) throw notFound('node', nodeId)
  if (row.state === 'draining' && row.retire_reason !== null) return row.cell_id
  if (row.state === 'draining' || row.state === 'deleting' || row.state === 'deleted') {
    throw new AppError('precondition', `the node ${nodeId} is ${row.state}`)
  }
  await trx
    .updateTable('nodes')
    .set({ retire_reason: reason, updated_at: at })
    .where('id', '=', nodeId)
    .where('retire_reason', 'is', null)
    .execute()
  return row.cell_id
}
