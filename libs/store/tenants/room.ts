import { type RawBuilder, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError } from '#libs/base'
import { type TenantLimit, tenantLimits } from '#libs/domain/tenants'
import type { Executor } from '../database.ts'

interface Kind {
  readonly count: (tenantId: string) => RawBuilder<{ count: number }>
  readonly words: string
}

const kinds: Readonly<Record<TenantLimit, Kind>> = {
  namespaces: {
    count: (tenantId) => sql`select count(*) from namespaces where tenant_id = ${tenantId} and state <> 'deleted'`,
    words: 'namespaces: delete one first',
  },
  users: {
    count: (tenantId) => sql`select count(*) from users where tenant_id = ${tenantId} and deleted_at is null`,
    words: 'users: delete one first',
  },
  invitations: {
    count: (tenantId) =>
      sql`select count(*) from user_invitations where tenant_id = ${tenantId} and created_at > now() - interval '1 day'`,
    words: 'invitations of the last 24 hours: invite more users tomorrow',
  },
  userGroups: {
    count: (tenantId) => sql`select count(*) from user_groups where tenant_id = ${tenantId} and deleted_at is null`,
    words: 'user groups: delete one first',
  },
  serviceAccounts: {
    count: (tenantId) =>
      sql`select count(*) from service_accounts where tenant_id = ${tenantId} and deleted_at is null`,
    words: 'service accounts: delete one first',
  },
  customRoles: {
    count: (tenantId) => sql`select count(*) from custom_roles where tenant_id = ${tenantId} and deleted_at is null`,
    words: 'custom roles: delete one first',
  },
  nexusEndpoints: {
    count: (tenantId) => sql`select count(*) from nexus_endpoints where tenant_id = ${tenantId} and state <> 'deleted'`,
    words: 'Nexus endpoints: delete one first',
  },
  revokedApiKeys: {
    count: (tenantId) => sql`
      select count(*) from api_keys k where k.tenant_id = ${tenantId}
        and (k.deleted_at is not null or k.disabled) and k.expires_at > now() and ${ownerLives('k')}`,
    words:
      'API keys that were deleted or disabled before they expired: wait until some expire, or delete a service account whose keys they were',
  },
}

/**
 * Whether the tenant may have one more. Nobody is locked out meanwhile: of many that ask at once, a few pass beyond the
 * limit, which is there against thousands.
 * @throws AppError `precondition` at the limit; not `exhausted`, which clients retry
 */
export async function assertRoom(
  executor: Executor,
  proof:
    | Authorized<'account', 'create_namespace'>
    | Authorized<'account', 'create_nexus_endpoint'>
    | Authorized<'account', 'create_service_account'>
    | Authorized<'account', 'create_user'>
    | Authorized<'account', 'create_user_group'>
    | Authorized<'account', 'create_custom_role'>
    | Authorized<'account', 'provision_identities'>
    | Authorized<'namespace', 'create_service_account'>
    | Authorized<'user', 'create_api_key'>
    | Authorized<'service_account', 'create_api_key'>,
  limit: TenantLimit,
): Promise<void> {
  const { count, words } = kinds[limit]
  const { rows } = await count(proof.target.tenantId).execute(executor)
  if ((rows[0]?.count ?? 0) < tenantLimits[limit]) return
  throw new AppError('precondition', `the account has ${tenantLimits[limit]} ${words}`)
}

/** Of a row of `api_keys` under that alias: keys of who is gone are refused with their owner, and need no mention. */
export function ownerLives(alias: string): RawBuilder<boolean> {
  const owner = sql.ref(`${alias}.owner_id`)
  return sql`(exists (select from users u where u.id = ${owner} and u.deleted_at is null)
    or exists (select from service_accounts s where s.id = ${owner} and s.deleted_at is null))`
}
