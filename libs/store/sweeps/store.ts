import { sql } from 'kysely'
import type { Executor } from '../database.ts'

/**
 * Takes the next sweep of a kind, if it is due and nobody is at it. By the database's clock alone: replicas' own may differ.
 * @param holder unique to this sweep of this replica.
 * @param holdMs milliseconds for which nobody else begins it, unless {@link keepSweep} says otherwise.
 * @returns whether it is ours.
 */
export async function beginSweep(executor: Executor, kind: string, holder: string, holdMs: number): Promise<boolean> {
  const until = sql`now() + make_interval(secs => ${holdMs / 1000})`
  const { rows } = await sql`
    insert into sweeps as s (kind, holder, held_until) values (${kind}, ${holder}, ${until})
    on conflict (kind) do update
    set holder = excluded.holder, held_until = excluded.held_until, due_at = excluded.due_at
    where s.due_at <= now() and (s.held_until is null or s.held_until < now())
    returning kind`.execute(executor)
  return rows.length === 1
}

/** Holds on to it. @returns whether it is still ours: another replica may have begun it anew. */
export async function keepSweep(executor: Executor, kind: string, holder: string, holdMs: number): Promise<boolean> {
  const { rows } = await sql`
    update sweeps set held_until = now() + make_interval(secs => ${holdMs / 1000})
    where kind = ${kind} and holder = ${holder} returning kind`.execute(executor)
  return rows.length === 1
}

/** Says when the next one is due, counted from when this one began. */
export async function endSweep(executor: Executor, kind: string, holder: string, everyMs: number): Promise<void> {
  await sql`
    update sweeps set holder = null, held_until = null, due_at = due_at + make_interval(secs => ${everyMs / 1000})
    where kind = ${kind} and holder = ${holder}`.execute(executor)
}
