import { sql } from 'kysely'
import { AppError } from '#libs/base'
import type { Executor, Trx } from '../database.ts'

/**
 * From here to the end of the transaction nobody else changes operators or their certificates: whoever waited finds what
 * the one before made. Two admins who remove each other at once come one after the other, and the second is nobody by then.
 */
export async function lockOperators(trx: Trx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('aqueduct.operators'))`.execute(trx)
}

/** When the last certificate of an admin ends; undefined when none is good now. */
export async function lastAdminCertificateEnd(executor: Executor): Promise<Date | undefined> {
  const { end } = await executor
    .selectFrom('certificates')
    .innerJoin('operators', 'operators.name', 'certificates.operator_name')
    .select((eb) => eb.fn.max('certificates.not_after').as('end'))
    .where('operators.role', '=', 'admin')
    .where('operators.deleted_at', 'is', null)
    .where('certificates.revoked_at', 'is', null)
    .where('certificates.not_after', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow()
  return end ?? undefined
}

/**
 * Asked at the end of whatever takes an admin, or an admin's certificate, away; under `lockOperators`.
 * @throws AppError `precondition` when nobody could look after operators any more.
 */
export async function keepAnAdmin(trx: Trx): Promise<void> {
  if ((await lastAdminCertificateEnd(trx)) !== undefined) return
  throw new AppError(
    'precondition',
    'this would leave no admin with a certificate that is good: make another operator admin and issue it a certificate first',
  )
}
