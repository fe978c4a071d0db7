import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import type { CertificatesTable } from '../certificates/table.ts'
import type { Executor, Trx } from '../database.ts'
import { keepAnAdmin } from './admins.ts'

type CertificateRow = Selectable<CertificatesTable>

/** Newest first, also those that are revoked or ended. `before` is the id of the last one of the page before. */
export async function listOperatorCertificates(
  executor: Executor,
  proof: Authorized<'operator', 'read'>,
  page: { readonly before: string | undefined; readonly limit: number },
): Promise<readonly CertificateRow[]> {
  let query = executor
    .selectFrom('certificates')
    .selectAll()
    .where('purpose', '=', 'operator')
    .where('operator_name', '=', proof.target.operatorName)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.before !== undefined) {
    query = query.where(
      sql<boolean>`(created_at, id) < (select c.created_at, c.id from certificates c where c.id = ${page.before})`,
    )
  }
  return query.execute()
}

/**
 * The operator listener refuses the leaf from the next call on. Saying it twice changes nothing. Under `lockOperators`.
 * @throws AppError `not_found`; `precondition` for the last certificate of the last admin.
 */
export async function revokeOperatorCertificate(
  trx: Trx,
  proof: Authorized<'operator', 'update'>,
  certificateId: string,
): Promise<CertificateRow> {
  const { operatorName } = proof.target
  const ofOperator = { id: certificateId, operator_name: operatorName }
  const row = await trx
    .updateTable('certificates')
    .set({ revoked_at: new Date(), revoked_by: proof.actor.id })
    .where((eb) => eb.and(ofOperator))
    .where('revoked_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) {
    await keepAnAdmin(trx)
    return row
  }
  const revoked = await trx
    .selectFrom('certificates')
    .selectAll()
    .where((eb) => eb.and(ofOperator))
    .executeTakeFirst()
  if (revoked === undefined) throw notFound('certificate', certificateId)
  return revoked
}
