import type { Authorized } from '#libs/authz'
import type { Executor } from '../database.ts'

/**
 * The node works, and has to be replaced by then. One that is to go for another reason keeps that, and its date.
 * @returns the node's cell, whose plan replaces it; undefined when it is to go already, or is gone.
 */
export async function retireNode(
  executor: Executor,
  proof: Authorized<'node', 'update'>,
  { reason, by }: { readonly reason: string; readonly by: Date },
): Promise<string | undefined> {
  const row = await executor
    .updateTable('nodes')
    .set({ retire_reason: reason, retire_by: by })
    .where('id', '=', proof.target.nodeId)
    .where('retire_reason', 'is', null)
    .where('state', 'not in', ['draining', 'deleting', 'deleted'])
    .returning('cell_id')
    .executeTakeFirst()
  return row?.cell_id
}
