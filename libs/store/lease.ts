import { AsyncLocalStorage } from 'node:async_hooks'
import { type RawBuilder, sql } from 'kysely'
import type { Executor } from './database.ts'

/** Nouns that a reconciler works on, one pass at a time. */
export type LeasedTable = 'namespaces' | 'nexus_endpoints' | 'cells' | 'nodes' | 'rollouts' | 'moves'

/** Seconds. A pass renews its lease with each thing that it records; one that is lost leaves it behind for this long. */
const leaseSeconds = 20

/** When the lease of the pass that runs was last taken or renewed, by a clock that goes on while the process is stopped. */
const running = new AsyncLocalStorage<{ renewedAt: number }>()

/**
 * Runs a pass, so that what it calls can ask whether its lease may still hold.
 * @param renewedAt when the lease was asked for, by `performance.now()`.
 */
export function withLease<Result>(renewedAt: number, pass: () => Promise<Result>): Promise<Result> {
  return running.run({ renewedAt }, pass)
}

/**
 * To be asked right before a call that changes the world: a process that was stopped in the middle of a pass finds out here,
 * before it does what was right then. Outside of a pass there is nothing to find out.
 * @throws StaleWriterError when the lease has run out since the pass renewed it last.
 */
export function assertLeaseHolds(): void {
  const lease = running.getStore()
  if (lease === undefined || performance.now() - lease.renewedAt < leaseSeconds * 1000) return
  throw new StaleWriterError('the lease ran out before the call')
}

/** Until when a lease that is taken or renewed now lasts. */
export function newLeaseEnd(): RawBuilder<Date> {
  // Before the statement is sent, and so before the database begins to count.
  const lease = running.getStore()
  if (lease !== undefined) lease.renewedAt = performance.now()
  return sql<Date>`now() + make_interval(secs => ${leaseSeconds})`
}

/** Until when the clock leaves a row alone, so many milliseconds from now; null when it need not. */
export function restEnd(restMs: number | undefined): RawBuilder<Date> | null {
  return restMs === undefined ? null : sql<Date>`now() + make_interval(secs => ${restMs / 1000})`
}

/**
 * Takes the row's lease, by compare-and-set. Two passes over one noun can overlap (graphile-worker runs a
 * job that was re-added under the key of a running one), and so can two replicas: the one without the lease steps aside.
 * @param holder unique to the pass, not to the process.
 * @returns whether the lease is ours.
 */
export async function takeLease(executor: Executor, table: LeasedTable, id: string, holder: string): Promise<boolean> {
  const { rows } = await sql`
    update ${sql.table(table)} set lease_owner = ${holder}, leased_until = ${newLeaseEnd()}
    where id = ${id} and (leased_until is null or leased_until < now())
    returning id`.execute(executor)
  return rows.length === 1
}

/** Gives the lease back, if it is still ours. */
export async function releaseLease(executor: Executor, table: LeasedTable, id: string, holder: string): Promise<void> {
  await sql`
    update ${sql.table(table)} set lease_owner = null, leased_until = null
    where id = ${id} and lease_owner = ${holder}`.execute(executor)
}

/** A pass found that its lease ran out, or that the intent moved on: whatever it was about to write is stale. */
export class StaleWriterError extends Error {
  override readonly name = 'StaleWriterError'
}
