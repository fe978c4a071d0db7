import type { Selectable } from 'kysely'
import { AppError, notFound } from '#libs/base'
import { assertGroupReach } from '../access/index.ts'
import type { Executor, Trx } from '../database.ts'
import { getUserGroup, type UserGroupRef } from './store.ts'
import type { UserGroupMembersTable } from './table.ts'

export type UserGroupMemberRow = Selectable<UserGroupMembersTable>

/**
 * Makes a user of the tenant a member. The group's resource version stays: members are no part of its spec.
 * @throws AppError `not_found` for the group or the user; `already_exists`
 */
export async function addGroupMember(trx: Trx, ref: UserGroupRef<'add_member'>, userId: string): Promise<void> {
  const group = await getUserGroup(trx, ref)
  const user = await trx
    .selectFrom('users')
    .select('id')
    .where('tenant_id', '=', group.tenant_id)
    .where('id', '=', userId)
    .where('deleted_at', 'is', null)
    // Who deletes the user meanwhile waits, and ends this membership too.
    .forShare()
    .executeTakeFirst()
  if (user === undefined) throw notFound('user', userId)
  const row = await trx
    .insertInto('user_group_members')
    .values({ tenant_id: group.tenant_id, group_id: group.id, user_id: userId })
    .onConflict((conflict) => conflict.columns(['group_id', 'user_id']).doNothing())
    .returning('user_id')
    .executeTakeFirst()
  if (row !== undefined) return assertGroupReach(trx, group.tenant_id)
  throw new AppError('already_exists', `user ${JSON.stringify(userId)} is already a member: nothing to change`)
}

/** @throws AppError `not_found` for the group, or for who is no member. */
export async function removeGroupMember(trx: Trx, ref: UserGroupRef<'remove_member'>, userId: string): Promise<void> {
  const group = await getUserGroup(trx, ref)
  const row = await trx
    .deleteFrom('user_group_members')
    .where('tenant_id', '=', group.tenant_id)
    .where('group_id', '=', group.id)
    .where('user_id', '=', userId)
    .returning('user_id')
    .executeTakeFirst()
  if (row === undefined) throw notFound('member', userId)
}

/** By user id, ascending. @throws AppError `not_found` */
export async function listGroupMembers(
  executor: Executor,
  ref: UserGroupRef<'read_members'>,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly UserGroupMemberRow[]> {
  const group = await getUserGroup(executor, ref)
  let query = executor
    .selectFrom('user_group_members')
    .selectAll()
    .where('tenant_id', '=', group.tenant_id)
    .where('group_id', '=', group.id)
    .orderBy('user_id')
    .limit(page.limit)
  if (page.after !== undefined) query = query.where('user_id', '>', page.after)
  return query.execute()
}
