import { type SqlBool, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import { takeNextVersion } from '../next-version.ts'
import { assertAnotherOwner, getUser, type UserRow } from './store.ts'

/** What the tenant's identity provider says of a user. */
export interface ProvisionedUser {
  /** Its own id of the user; null when it gave none. */
  readonly externalId: string | null
  readonly active: boolean
}

/**
 * Notes what the identity provider says. Who is not active keeps keys, grants and memberships, and gets in nowhere: here
 * at once, at the edge within seconds.
 * @throws AppError `not_found`; `forbidden` for an account owner whom the proof does not reach; `precondition` when no
 * account owner would be left; `already_exists` when another user has that external id.
 */
export async function provisionUser(
  trx: Trx,
  proof:
    | Authorized<'user', 'update'>
    | { readonly proof: Authorized<'account', 'provision_identities'>; readonly userId: string },
  { externalId, active }: ProvisionedUser,
): Promise<UserRow> {
  const present = await getUser(trx, proof)
  if (!active) await assertAnotherOwner(trx, present)
  await takeNextVersion(trx, 'users', 'user', present, String(present.resource_version))
  const { rows } = await sql<UserRow>`
    update users u set scim_external_id = ${externalId},
      deactivated_at = ${active ? sql`null` : sql`coalesce(deactivated_at, now())`}
    where tenant_id = ${present.tenant_id} and id = ${present.id}
      and not exists (select from users o where o.tenant_id = u.tenant_id and o.id <> u.id and o.deleted_at is null
        and o.scim_external_id = ${externalId})
    returning *`.execute(trx)
  const row = rows[0]
  if (row === undefined)
    throw new AppError('already_exists', `a user with the externalId ${JSON.stringify(externalId)} exists`)
  return row
}

export interface ProvisionedPage {
  /** Exact, but for the case of letters. */
  readonly email: string | undefined
  readonly externalId: string | undefined
  readonly id: string | undefined
  /** How many to leave out. */
  readonly offset: number
  readonly limit: number
}

/** By id, ascending, and how many there are in all. */
export async function listProvisionedUsers(
  executor: Executor,
  proof: Authorized<'account', 'provision_identities'>,
  page: ProvisionedPage,
): Promise<{ readonly rows: readonly UserRow[]; readonly total: number }> {
  let query = executor
    .selectFrom('users')
    .where('tenant_id', '=', proof.target.tenantId)
    .where('deleted_at', 'is', null)
  if (page.email !== undefined) query = query.where(sql<SqlBool>`lower(email) = lower(${page.email})`)
  if (page.externalId !== undefined) query = query.where('scim_external_id', '=', page.externalId)
  if (page.id !== undefined) query = query.where('id', '=', page.id)
  const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const rows = await query.selectAll().orderBy('id').offset(page.offset).limit(page.limit).execute()
  return { rows, total }
}
