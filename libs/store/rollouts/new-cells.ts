import type { NodeTemplate } from '#libs/domain/nodes'
import type { Executor } from '../database.ts'

/** What the last rollout of the region that was done left its cells with; undefined before the first one. */
export async function lastDoneTemplate(executor: Executor, region: string): Promise<NodeTemplate | undefined> {
  const row = await executor
    .selectFrom('rollouts')
    .select('target')
    .where('region', '=', region)
    .where('state', '=', 'done')
    .orderBy('ended_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.target
}
