import { sql } from 'kysely'
import { openStates } from '#libs/domain/operations'
import type { Executor } from '../database.ts'

/** Tells whoever polls what is waited for. */
export async function tellOperations(executor: Executor, resourceId: string, waitingFor: string): Promise<void> {
  await executor
    .updateTable('operations')
    .set({ state: 'in_progress', waiting_for: waitingFor, started_at: sql<Date>`coalesce(started_at, now())` })
    .where('resource_id', '=', resourceId)
    .where('state', 'in', openStates)
    .execute()
}

/** Ends the operations on a resource up to one generation of it. */
export async function endOperations(
  executor: Executor,
  resourceId: string,
  generation: number,
  state: 'fulfilled' | 'failed',
  reason: string,
): Promise<void> {
  await executor
    .updateTable('operations')
    .set({
      state,
      failure_reason: reason,
      waiting_for: '',
      finished_at: new Date(),
      started_at: sql<Date>`coalesce(started_at, now())`,
    })
    .where('resource_id', '=', resourceId)
    .where('generation', '<=', generation)
    .where('state', 'in', openStates)
    .execute()
}
