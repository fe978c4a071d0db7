import { sql } from 'kysely'
import { AppError } from '#libs/base'
import { maxGroupReach } from '#libs/domain/user-groups'
import type { Trx } from '../database.ts'

/**
 * Asked after whatever gave a group a member or a namespace. What members have by their groups is worked out at each change
 * of an edge, for every tenant of its cell: without a bound one tenant makes that take minutes for all of them. Of many
 * that ask at once, a few pass beyond it.
 * @throws AppError `precondition`
 */
export async function assertGroupReach(trx: Trx, tenantId: string): Promise<void> {
  const { rows } = await sql<{ reach: number }>`
    select coalesce(sum(coalesce(m.count, 0) + coalesce(n.count, 0) + coalesce(m.count * n.count, 0)), 0)::bigint as reach
    from (select group_id, count(*) from user_group_members where tenant_id = ${tenantId} group by 1) m
    full join (select principal_id, count(*) from namespace_grants
      where tenant_id = ${tenantId} and principal_id like 'grp-%' group by 1) n on n.principal_id = m.group_id`.execute(
    trx,
  )
  if ((rows[0]?.reach ?? 0) <= maxGroupReach) return
  throw new AppError(
    'precondition',
    `the groups of the account give more than ${maxGroupReach} permissions on namespaces, each member’s on each namespace counted: have fewer groups, members, or namespaces in groups`,
  )
}
