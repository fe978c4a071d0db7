import type { Authorized, NamespacePermission } from '#libs/authz'
import { notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import { assertGroupReach } from './group-reach.ts'

/** What a user, a group or a service account was given by name, besides its account role. */
export interface GrantedAccess {
  /** Namespace id → permission. */
  readonly grants: ReadonlyMap<string, NamespacePermission>
  /** Ascending. */
  readonly customRoleIds: readonly string[]
}

export const noAccess: GrantedAccess = Object.freeze({ grants: new Map(), customRoleIds: [] })

/** Whoever may say who has access to one namespace, by the kind of who gets it. */
export type GrantProof = Authorized<
  'namespace',
  'grant_user_access' | 'grant_service_account_access' | 'grant_user_group_access'
>

/** Whoever may make or change a principal may say what it has access to. */
export type AccessProof =
  | Authorized<'account', 'create_user'>
  | Authorized<'account', 'create_user_group'>
  | Authorized<'account', 'create_service_account'>
  | Authorized<'account', 'provision_identities'>
  | Authorized<'namespace', 'create_service_account'>
  | GrantProof
  | Authorized<'user', 'update'>
  | Authorized<'user', 'delete'>
  | Authorized<'user_group', 'update'>
  | Authorized<'user_group', 'delete'>
  | Authorized<'service_account', 'update'>
  | Authorized<'service_account', 'delete'>

/**
 * Makes the access of one principal of the proof's tenant be exactly this.
 * @throws AppError `not_found` for a namespace or a custom role that the tenant does not have.
 */
export async function replaceAccess(
  trx: Trx,
  proof: AccessProof,
  principalId: string,
  access: GrantedAccess,
): Promise<void> {
  await replaceGrants(trx, proof.target.tenantId, principalId, access.grants)
  await replaceCustomRoles(trx, proof.target.tenantId, principalId, access.customRoleIds)
}

/**
 * Gives one principal this permission on the proof's namespace, or, with undefined, takes away the one that it has.
 * @throws AppError `not_found` for a namespace that the tenant does not have.
 */
export async function setGrant(
  trx: Trx,
  proof: GrantProof,
  principalId: string,
  permission: NamespacePermission | undefined,
): Promise<void> {
  const { tenantId, namespaceId } = proof.target
  await assertNamespaces(trx, tenantId, [namespaceId])
  await trx
    .deleteFrom('namespace_grants')
    .where('tenant_id', '=', tenantId)
    .where('namespace_id', '=', namespaceId)
    .where('principal_id', '=', principalId)
    .execute()
  if (permission === undefined) return
  await trx
    .insertInto('namespace_grants')
    .values({ tenant_id: tenantId, namespace_id: namespaceId, principal_id: principalId, permission })
    .execute()
  if (isGroup(principalId)) await assertGroupReach(trx, tenantId)
}

/** Whoever may read or change a principal may read what it has access to. */
export type ReadAccessProof = { readonly target: { readonly tenantId: string } } & (
  | Authorized<'service_account', 'read' | 'list' | 'update' | 'delete' | 'create_api_key'>
  | Authorized<'user', 'read' | 'list' | 'update' | 'delete'>
  | Authorized<'user_group', 'read' | 'list' | 'update' | 'delete' | 'add_member' | 'remove_member'>
  | Authorized<'identity', 'read'>
  | Authorized<'account', 'provision_identities'>
  | GrantProof
)

/** Of one principal; nothing at all when it was given none. */
export async function accessOfOne(
  executor: Executor,
  proof: ReadAccessProof,
  principalId: string,
): Promise<GrantedAccess> {
  return (await accessOf(executor, proof, [principalId])).get(principalId) ?? noAccess
}

/** By principal, for as many as a page shows; a principal without any is missing. */
export async function accessOf(
  executor: Executor,
  proof: ReadAccessProof,
  principalIds: readonly string[],
): Promise<ReadonlyMap<string, GrantedAccess>> {
  if (principalIds.length === 0) return new Map()
  const { tenantId } = proof.target
  const grants = await executor
    .selectFrom('namespace_grants')
    .select(['principal_id', 'namespace_id', 'permission'])
    .where('tenant_id', '=', tenantId)
    .where('principal_id', 'in', [...principalIds])
    .orderBy('namespace_id')
    .execute()
  const roles = await executor
    .selectFrom('principal_custom_roles')
    .select(['principal_id', 'role_id'])
    .where('tenant_id', '=', tenantId)
    .where('principal_id', 'in', [...principalIds])
    .orderBy('role_id')
    .execute()
  const grantsBy = Map.groupBy(grants, (row) => row.principal_id)
  const rolesBy = Map.groupBy(roles, (row) => row.principal_id)
  return new Map(
    principalIds.map((id) => [
      id,
      {
        grants: new Map((grantsBy.get(id) ?? []).map((row) => [row.namespace_id, row.permission])),
        customRoleIds: (rolesBy.get(id) ?? []).map((row) => row.role_id),
      },
    ]),
  )
}

async function replaceGrants(trx: Trx, tenantId: string, principalId: string, grants: GrantedAccess['grants']) {
  await trx
    .deleteFrom('namespace_grants')
    .where('tenant_id', '=', tenantId)
    .where('principal_id', '=', principalId)
    .execute()
  if (grants.size === 0) return
  await assertNamespaces(trx, tenantId, [...grants.keys()])
  await trx
    .insertInto('namespace_grants')
    .values(
      [...grants].map(([namespaceId, permission]) => ({
        tenant_id: tenantId,
        namespace_id: namespaceId,
        principal_id: principalId,
        permission,
      })),
    )
    .execute()
  if (isGroup(principalId)) await assertGroupReach(trx, tenantId)
}

function isGroup(principalId: string): boolean {
  return principalId.startsWith('grp-')
}

async function assertNamespaces(trx: Trx, tenantId: string, ids: readonly string[]): Promise<void> {
  const found = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...ids])
    .where('state', 'not in', ['deleting', 'deleted'])
    .execute()
  for (const id of ids) if (!found.some((row) => row.id === id)) throw notFound('namespace', id)
}

async function replaceCustomRoles(trx: Trx, tenantId: string, principalId: string, roleIds: readonly string[]) {
  await trx
    .deleteFrom('principal_custom_roles')
    .where('tenant_id', '=', tenantId)
    .where('principal_id', '=', principalId)
    .execute()
  if (roleIds.length === 0) return
  const found = await trx
    .selectFrom('custom_roles')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...roleIds])
    .where('deleted_at', 'is', null)
    // Somebody who deletes the role meanwhile waits, and then takes it away again.
    .forShare()
    .execute()
  for (const id of roleIds) if (!found.some((row) => row.id === id)) throw notFound('custom role', id)
  await trx
    .insertInto('principal_custom_roles')
    .values(
      [...new Set(roleIds)].map((roleId) => ({ tenant_id: tenantId, principal_id: principalId, role_id: roleId })),
    )
    .execute()
}
