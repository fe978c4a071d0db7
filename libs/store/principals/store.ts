import { sql } from 'kysely'
import { type NamespacePermission, type PrincipalRole, principalRoles } from '#libs/authz'
import type { CustomPermission } from '#libs/domain/custom-roles'
import type { TenantState } from '#libs/domain/tenants'
import type { Executor } from '../database.ts'
import { strongest } from './strongest.ts'

/** What an API key stands for right now: read at every call, so that a change of role acts at once. */
export interface Principal {
  readonly keyId: string
  readonly kind: 'user' | 'service_account'
  readonly id: string
  readonly tenantId: string
  readonly tenantState: TenantState
  /** Its own and its groups', all of these. */
  readonly roles: ReadonlySet<PrincipalRole>
  readonly grants: ReadonlyMap<string, NamespacePermission>
  readonly customPermissions: readonly CustomPermission[]
}

interface PrincipalRow {
  key_id: string
  owner_kind: 'user' | 'service_account'
  owner_id: string
  tenant_id: string
  tenant_state: TenantState
  roles: readonly string[]
  grants: Record<string, NamespacePermission> | null
  custom_permissions: readonly (readonly CustomPermission[])[] | null
}

/**
 * The principals of live keys of one tenant; a key that is revoked, disabled, expired or without an owner is not among
 * them. Many keys in one statement: callers that arrive while a statement is under way share the next one.
 */
export async function findPrincipals(
  executor: Executor,
  tenantId: string,
  keyIds: readonly string[],
): Promise<ReadonlyMap<string, Principal>> {
  const { rows } = await sql<PrincipalRow>`
    select k.id as key_id, k.owner_kind, k.owner_id, k.tenant_id, t.state as tenant_state,
      coalesce(u.account_role, s.account_role) || coalesce(g.roles, '{}') as roles,
      (select jsonb_object_agg(e.namespace_id, e.permission) from (
        select n.namespace_id, ${strongest(sql`n.permission`)} as permission from namespace_grants n
        where n.tenant_id = k.tenant_id and n.principal_id = any(k.owner_id || coalesce(g.ids, '{}'))
        group by n.namespace_id) e) as grants,
      (select jsonb_agg(c.permissions) from custom_roles c
        where c.tenant_id = k.tenant_id and c.deleted_at is null and c.id in (
          select p.role_id from principal_custom_roles p
          where p.tenant_id = k.tenant_id and p.principal_id = any(k.owner_id || coalesce(g.ids, '{}')))) as custom_permissions
    from api_keys k
    join tenants t on t.id = k.tenant_id
    left join users u on u.id = k.owner_id and u.tenant_id = k.tenant_id and u.deleted_at is null and u.deactivated_at is null
    left join service_accounts s on s.id = k.owner_id and s.tenant_id = k.tenant_id and s.deleted_at is null
    left join lateral (
      select array_agg(m.group_id) as ids, array_agg(g.account_role) as roles from user_group_members m
      join user_groups g on g.id = m.group_id and g.tenant_id = m.tenant_id and g.deleted_at is null
      where m.tenant_id = k.tenant_id and m.user_id = u.id) g on true
    where k.tenant_id = ${tenantId} and k.id = any(${[...new Set(keyIds)]}::text[])
      and coalesce(u.id, s.id) is not null
      and k.deleted_at is null and not k.disabled and k.expires_at > now()`.execute(executor)
  return new Map(rows.map((row) => [row.key_id, principalOf(row)]))
}

function principalOf(row: PrincipalRow): Principal {
  return {
    keyId: row.key_id,
    kind: row.owner_kind,
    id: row.owner_id,
    tenantId: row.tenant_id,
    tenantState: row.tenant_state,
    roles: rolesOf(row.roles),
    grants: new Map(Object.entries(row.grants ?? {})),
    customPermissions: (row.custom_permissions ?? []).flat(),
  }
}

/** Those that this version knows: another one gives nothing. */
export function rolesOf(names: readonly string[]): ReadonlySet<PrincipalRole> {
  return new Set(principalRoles.filter((role) => names.includes(role)))
}
