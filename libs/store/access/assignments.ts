import { type RawBuilder, sql } from 'kysely'
import type { Authorized, NamespacePermission } from '#libs/authz'
import type { Executor } from '../database.ts'
import { strongest } from '../principals/strongest.ts'

/** Whoever can do something on a namespace: one user, service account or group. */
export interface Assignment {
  readonly id: string
  /** E-mail address, name or display name. */
  readonly label: string
  readonly resourceVersion: number
  readonly permission: NamespacePermission
  /** More than its own grant gives it: it has this by its account role, or, for users, by a group. */
  readonly inherited: boolean
}

type Table = 'users' | 'service_accounts' | 'user_groups'
const labels: Readonly<Record<Table, string>> = {
  users: 'email',
  service_accounts: 'name',
  user_groups: 'display_name',
}

/** As the policy has it: admins of every namespace. */
function isAccountAdmin(alias: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(`${alias}.account_role`)} in ('owner', 'admin')`
}

/**
 * Who has access to the proof's namespace, by id, ascending. Look first that the namespace is there: account admins have
 * access to any.
 */
export async function listAssignments(
  executor: Executor,
  proof: Authorized<
    'namespace',
    'read_user_assignments' | 'read_service_account_assignments' | 'read_user_group_assignments'
  >,
  table: Table,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly Assignment[]> {
  const { tenantId, namespaceId } = proof.target
  const byGroup = table === 'users' ? groupPermission(namespaceId) : sql`null`
  const { rows } = await sql<Omit<Assignment, 'inherited'> & { readonly own: NamespacePermission | null }>`
    select e.id, e.label, e.resource_version as "resourceVersion", e.own, e.permission from (
      select p.id, p.${sql.ref(labels[table])} as label, p.resource_version, n.permission as own,
        (select ${strongest(sql`v.permission`)} from (values (n.permission), (${byGroup}),
          (case when ${isAccountAdmin('p')} then 'admin' end)) as v (permission)) as permission
      from ${sql.table(table)} p
      left join namespace_grants n on n.tenant_id = p.tenant_id and n.namespace_id = ${namespaceId} and n.principal_id = p.id
      where p.tenant_id = ${tenantId} and p.deleted_at is null and p.id > ${page.after ?? ''}) e
    where e.permission is not null
    order by e.id limit ${page.limit}`.execute(executor)
  return rows.map(({ own, ...row }) => ({ ...row, inherited: own !== row.permission }))
}

/** The strongest that a group of the user `p` gives it. */
function groupPermission(namespaceId: string): RawBuilder<unknown> {
  return sql`(select ${strongest(sql`case when ${isAccountAdmin('g')} then 'admin' else gn.permission end`)}
    from user_group_members m
    join user_groups g on g.id = m.group_id and g.tenant_id = m.tenant_id and g.deleted_at is null
    left join namespace_grants gn on gn.tenant_id = m.tenant_id and gn.namespace_id = ${namespaceId} and gn.principal_id = g.id
    where m.tenant_id = p.tenant_id and m.user_id = p.id)`
}

/** Of a row of the table: whether it can do something on the namespace, by whichever way. Of none that is not there. */
export function withAccessTo(
  table: 'users' | 'user_groups',
  tenantId: string,
  namespaceId: string,
): RawBuilder<boolean> {
  const id = sql.ref(`${table}.id`)
  const granted = sql`select from namespace_grants n where n.tenant_id = ${tenantId} and n.namespace_id = ${namespaceId}`
  const byGroup = sql`exists (select from user_group_members m
    join user_groups g on g.id = m.group_id and g.tenant_id = m.tenant_id and g.deleted_at is null
    where m.tenant_id = ${tenantId} and m.user_id = ${id}
      and (${isAccountAdmin('g')} or exists (${granted} and n.principal_id = g.id)))`
  return sql<boolean>`(exists (select from namespaces where tenant_id = ${tenantId} and id = ${namespaceId}
      and state <> 'deleted')
    and (${isAccountAdmin(table)} or exists (${granted} and n.principal_id = ${id})
      ${table === 'users' ? sql`or ${byGroup}` : sql``}))`
}
