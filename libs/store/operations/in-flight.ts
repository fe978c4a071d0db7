import { sql } from 'kysely'
import { AppError } from '#libs/base'
import { checkEveryMs } from '#libs/domain/operations'
import { type PaceOverrides, paceOf } from '#libs/domain/tenants'
import type { Trx } from '../database.ts'
import type { OperationRow } from './store.ts'

/** The first half of the key of an advisory lock, so that no other use of such locks meets this one. */
const lockClass = 0x0f11

/**
 * Whether the tenant may have this operation in flight beside its others. Those who ask at the same moment pass one after
 * the other, each after the commit of the one before, so that the count is exact; the lock is the tenant's own, and is
 * held for the few statements that are left of the transaction.
 * @throws AppError `exhausted`: clients try again, and the same request may succeed when one of the others has ended
 */
export async function assertFewInFlight(trx: Trx, { tenant_id: tenantId, id }: OperationRow): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockClass}, hashtext(${tenantId}))`.execute(trx)
  // A statement of its own: this one sees what was committed before the lock was given.
  const counted = sql<{ limits: PaceOverrides; open: number }>`
    select limits, (select count(*) from operations o where o.tenant_id = t.id and o.id <> ${id}
      and o.state in ('pending', 'in_progress')) as open
    from tenants t where t.id = ${tenantId}`
  const { rows } = await counted.execute(trx)
  const [tenant] = rows
  const { operationsInFlight: limit } = paceOf(tenant?.limits ?? {})
  if ((tenant?.open ?? 0) < limit) return
  const retryAfterSeconds = checkEveryMs / 1000
  const message = `the account has ${limit} operations in flight, which is its limit: wait until one of them ends`
  throw new AppError('exhausted', message, { context: { limit: 'operationsInFlight', retryAfterSeconds } })
}
