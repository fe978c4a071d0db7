import { sql } from 'kysely'
import type { Database } from '../database.ts'

/** Entries that one statement takes away: the chain is held that long. */
const batch = 5_000

/**
 * Takes away what is older than the day, chain by chain, and each chain from its beginning on, so that what stays can
 * still be proved whole. As the role aqueduct_provisioner.
 * @param olderThan at least 30 days ago, or Postgres refuses.
 * @returns how many entries went.
 */
export async function pruneAuditLog(database: Database, olderThan: Date): Promise<number> {
  // Most have nothing that is so old.
  const { rows: chains } = await sql<{ readonly chain: string }>`
    select chain from audit_chains_older_than(${olderThan}) as chain`.execute(database.all)
  let pruned = 0
  for (const { chain } of chains) {
    for (let some = batch; some >= batch; pruned += some) {
      const { rows } = await sql<{ readonly pruned: number }>`
        select prune_audit_chain(${chain}, ${olderThan}, ${batch}) as pruned`.execute(database.all)
      some = rows[0]?.pruned ?? 0
    }
  }
  return pruned
}
