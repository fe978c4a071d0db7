import { sql } from 'kysely'
import type { Executor } from '#libs/store'
import type { TaskName, TaskPayloads } from './tasks.ts'

/**
 * Wakes a reconciler when the transaction commits. One job waits per noun: waking twice is waking once. A job that is
 * running already gets a successor, since it may have looked too early.
 * @param afterMs milliseconds from now; 0 runs at once.
 */
export async function enqueue<Name extends TaskName>(
  executor: Executor,
  task: Name,
  payload: TaskPayloads[Name],
  afterMs = 0,
): Promise<void> {
  const key = Object.values(payload)[0] ?? ''
  await sql`select enqueue_task(${task}, ${key}, ${JSON.stringify(payload)}::jsonb, now() + make_interval(secs => ${afterMs / 1000}))`.execute(
    executor,
  )
}
