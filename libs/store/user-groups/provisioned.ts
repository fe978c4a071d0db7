import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import { assertGroupReach } from '../access/index.ts'
import type { Executor, Trx } from '../database.ts'
import type { UserGroupRef, UserGroupRow } from './store.ts'
import { getUserGroup } from './store.ts'

export interface ProvisionedGroupPage {
  /** Exact. */
  readonly displayName: string | undefined
  readonly idpId: string | undefined
  readonly id: string | undefined
  /** How many to leave out. */
  readonly offset: number
  readonly limit: number
}

/** The groups that came over SCIM, by id, and how many there are in all. */
export async function listProvisionedGroups(
  executor: Executor,
  proof: Authorized<'account', 'provision_identities'>,
  page: ProvisionedGroupPage,
): Promise<{ readonly rows: readonly UserGroupRow[]; readonly total: number }> {
  let query = executor
    .selectFrom('user_groups')
    .where('tenant_id', '=', proof.target.tenantId)
    .where('kind', '=', 'scim')
    .where('deleted_at', 'is', null)
  if (page.displayName !== undefined) query = query.where('display_name', '=', page.displayName)
  if (page.idpId !== undefined) query = query.where('scim_idp_id', '=', page.idpId)
  if (page.id !== undefined) query = query.where('id', '=', page.id)
  const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const rows = await query.selectAll().orderBy('id').offset(page.offset).limit(page.limit).execute()
  return { rows, total }
}

/** Ids of the members, by group, of groups that came over SCIM. */
export async function memberIdsOf(
  executor: Executor,
  proof: Authorized<'account', 'provision_identities'>,
  groupIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (groupIds.length === 0) return new Map()
  const rows = await executor
    .selectFrom('user_group_members')
    .select(['group_id', 'user_id'])
    .where('tenant_id', '=', proof.target.tenantId)
    .where('group_id', 'in', [...groupIds])
    .orderBy('user_id')
    .execute()
  const byGroup = Map.groupBy(rows, (row) => row.group_id)
  return new Map([...byGroup].map(([id, members]) => [id, members.map((row) => row.user_id)]))
}

export interface MemberChange {
  /** When set, nobody else is a member, before `add` and `remove`. */
  readonly members?: readonly string[]
  readonly add: ReadonlySet<string>
  /** Who is no member is no mistake. */
  readonly remove: ReadonlySet<string>
}

/** @throws AppError `not_found` for the group, or for somebody who is no user of the tenant. */
export async function changeGroupMembers(trx: Trx, ref: UserGroupRef<'update'>, change: MemberChange): Promise<void> {
  const { tenant_id: tenantId, id: groupId } = await getUserGroup(trx, ref)
  const wanted = new Set(change.members ?? []).union(change.add).difference(change.remove)
  await assertUsers(trx, tenantId, [...wanted])
  let leaving = trx.deleteFrom('user_group_members').where('tenant_id', '=', tenantId).where('group_id', '=', groupId)
  leaving =
    change.members === undefined
      ? leaving.where('user_id', 'in', [...change.remove, ''])
      : leaving.where('user_id', 'not in', [...wanted, ''])
  await leaving.execute()
  if (wanted.size === 0) return
  await trx
    .insertInto('user_group_members')
    .values([...wanted].map((userId) => ({ tenant_id: tenantId, group_id: groupId, user_id: userId })))
    .onConflict((conflict) => conflict.columns(['group_id', 'user_id']).doNothing())
    .execute()
  await assertGroupReach(trx, tenantId)
}

async function assertUsers(trx: Trx, tenantId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const found = await trx
    .selectFrom('users')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...ids])
    .where('deleted_at', 'is', null)
    // Who deletes one of them meanwhile waits, and ends this membership too.
    .forShare()
    .execute()
  const known = new Set(found.map((row) => row.id))
  for (const id of ids) if (!known.has(id)) throw notFound('user', id)
}
