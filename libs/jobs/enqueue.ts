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

/** The same for many nouns at once, in one statement. */
export async function enqueueAll<Name extends TaskName>(
  executor: Executor,
  task: Name,
  field: keyof TaskPayloads[Name] & string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return
  // In one order, so that two who wake the same nouns do not wait for each other crosswise.
  await sql`
    select enqueue_task(${task}, id, jsonb_build_object(${field}::text, id), now())
    from unnest(${ids.toSorted()}::text[]) as id`.execute(executor)
}
