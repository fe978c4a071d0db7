import { type Selectable, sql } from 'kysely'
import type { Authorized, OperatorRole } from '#libs/authz'
import { AppError, invalidField, notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import { staleVersion } from '../stale-version.ts'
import { keepAnAdmin } from './admins.ts'
import type { OperatorsTable } from './table.ts'

export type OperatorRow = Selectable<OperatorsTable>

/** An operator with what of its certificates is good now. */
export interface OperatorSummary extends OperatorRow {
  readonly live_certificates: number
  /** When the last of them ends. */
  readonly certificates_end: Date | null
}

/** The operator's leaf, if we issued it to an operator that is there, and did not revoke it: asked at every call. */
export async function findLiveOperator(
  executor: Executor,
  fingerprint: string,
): Promise<Pick<OperatorRow, 'name' | 'role'> | undefined> {
  return executor
    .selectFrom('certificates')
    .innerJoin('operators', 'operators.name', 'certificates.operator_name')
    .select(['operators.name', 'operators.role'])
    .where('certificates.fingerprint', '=', fingerprint)
    .where('certificates.purpose', '=', 'operator')
    .where('certificates.revoked_at', 'is', null)
    .where('certificates.not_after', '>', sql<Date>`now()`)
    .where('operators.deleted_at', 'is', null)
    .executeTakeFirst()
}

/** By name, ascending. */
export async function listOperators(
  executor: Executor,
  _proof: Authorized<'operator', 'list'>,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly OperatorSummary[]> {
  return summaries(executor).where('operators.name', '>', page.after).limit(page.limit).execute()
}

/** @throws AppError `not_found` */
export async function getOperator(
  executor: Executor,
  proof:
    | Authorized<'operator', 'read'>
    | Authorized<'operator', 'update'>
    | Authorized<'operator', 'delete'>
    | Authorized<'operator', 'create_certificate'>,
): Promise<OperatorSummary> {
  const { operatorName } = proof.target
  const row = await summaries(executor).where('operators.name', '=', operatorName).executeTakeFirst()
  if (row === undefined) throw notFound('operator', operatorName)
  return row
}

/** @throws AppError `already_exists` for a name that is taken, or ever was. */
export async function createOperator(
  trx: Trx,
  proof: Authorized<'operator', 'create'>,
  { name, role }: { readonly name: string; readonly role: OperatorRole },
): Promise<OperatorRow> {
  const row = await trx
    .insertInto('operators')
    .values({ name, role, created_by: proof.actor.id, updated_by: null, updated_at: null, deleted_at: null })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const taken = `an operator named ${JSON.stringify(name)} exists, or did: names are used once, choose another`
  throw new AppError('already_exists', taken)
}

/**
 * Acts with the operator's next call. Under `lockOperators`.
 * @throws AppError `not_found`; `precondition` for a stale version, and for the last admin; `invalid` when it has the role.
 */
export async function setOperatorRole(
  trx: Trx,
  proof: Authorized<'operator', 'update'>,
  role: OperatorRole,
  resourceVersion: string,
): Promise<OperatorRow> {
  const present = await getOperator(trx, proof)
  checkVersion(present, resourceVersion)
  if (present.role === role) throw invalidField('role', 'nothing to change')
  const row = await change(trx, proof, { role })
  await keepAnAdmin(trx)
  return row
}

/**
 * Takes its certificates along; the name stays taken. Under `lockOperators`.
 * @throws AppError `not_found`; `precondition` for a stale version, and for the last admin.
 */
export async function deleteOperator(
  trx: Trx,
  proof: Authorized<'operator', 'delete'>,
  resourceVersion: string,
): Promise<void> {
  const present = await getOperator(trx, proof)
  checkVersion(present, resourceVersion)
  const now = new Date()
  await change(trx, proof, { deleted_at: now })
  await trx
    .updateTable('certificates')
    .set({ revoked_at: now, revoked_by: proof.actor.id })
    .where('operator_name', '=', present.name)
    .where('revoked_at', 'is', null)
    .execute()
  await keepAnAdmin(trx)
}

async function change(
  trx: Trx,
  proof: Authorized<'operator', 'update'> | Authorized<'operator', 'delete'>,
  columns: { readonly role: OperatorRole } | { readonly deleted_at: Date },
): Promise<OperatorRow> {
  return trx
    .updateTable('operators')
    .set((eb) => ({
      ...columns,
      resource_version: eb('resource_version', '+', 1),
      updated_by: proof.actor.id,
      updated_at: new Date(),
    }))
    .where('name', '=', proof.target.operatorName)
    .returningAll()
    .executeTakeFirstOrThrow()
}

function checkVersion({ resource_version: latest }: OperatorRow, given: string): void {
  if (given !== String(latest)) throw staleVersion('operator', given, latest)
}

function summaries(executor: Executor) {
  const live = sql`from certificates c where c.operator_name = operators.name and c.revoked_at is null and c.not_after > now()`
  return executor
    .selectFrom('operators')
    .selectAll('operators')
    .select([
      sql<number>`(select count(*) ${live})`.as('live_certificates'),
      sql<Date | null>`(select max(c.not_after) ${live})`.as('certificates_end'),
    ])
    .where('operators.deleted_at', 'is', null)
    .orderBy('operators.name')
}
