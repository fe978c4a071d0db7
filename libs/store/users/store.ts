import type { Selectable } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import type { Executor } from '../database.ts'
import type { UsersTable } from './table.ts'

export type UserRow = Selectable<UsersTable>

/** The user behind the caller's own credentials. @throws AppError `not_found` */
export async function getOwnUser(executor: Executor, proof: Authorized<'identity', 'read'>): Promise<UserRow> {
  const row = await executor
    .selectFrom('users')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', '=', proof.actor.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('user', proof.actor.id)
  return row
}
