import { sql } from 'kysely'
import { type AccountRole, accountRoles, type NamespacePermission } from '#libs/authz'
import type { TenantState } from '#libs/domain/tenants'
import type { Executor } from '../database.ts'

/** What an API key stands for right now: read at every call, so that a change of role acts at once. */
export interface Principal {
  readonly keyId: string
  readonly kind: 'user' | 'service_account'
  readonly id: string
  readonly tenantId: string
  readonly tenantState: TenantState
  readonly accountRole: AccountRole
  readonly grants: ReadonlyMap<string, NamespacePermission>
}

interface PrincipalRow {
  key_id: string
  owner_kind: 'user' | 'service_account'
  owner_id: string
  tenant_id: string
  tenant_state: TenantState
  account_role: string | null
  grants: Record<string, NamespacePermission> | null
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
      coalesce(u.account_role, s.account_role) as account_role,
      (select jsonb_object_agg(g.namespace_id, g.permission) from namespace_grants g
        where g.tenant_id = k.tenant_id and g.principal_id = k.owner_id) as grants
    from api_keys k
    join tenants t on t.id = k.tenant_id
    left join users u on u.id = k.owner_id and u.tenant_id = k.tenant_id and u.deleted_at is null
    left join service_accounts s on s.id = k.owner_id and s.tenant_id = k.tenant_id and s.deleted_at is null
    where k.tenant_id = ${tenantId} and k.id = any(${[...new Set(keyIds)]}::text[])
      and k.deleted_at is null and not k.disabled and k.expires_at > now()`.execute(executor)
  const found = new Map<string, Principal>()
  for (const row of rows) {
    const accountRole = accountRoles.find((role) => role === row.account_role)
    if (accountRole === undefined) continue
    found.set(row.key_id, {
      keyId: row.key_id,
      kind: row.owner_kind,
      id: row.owner_id,
      tenantId: row.tenant_id,
      tenantState: row.tenant_state,
      accountRole,
      grants: new Map(Object.entries(row.grants ?? {})),
    })
  }
  return found
}
