import type { Authorized, NamespacePermission } from '#libs/authz'
import { notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'

/** What the creator of a namespace gets with it. */
export async function grantToCreator(
  trx: Trx,
  proof: Authorized<'account', 'create_namespace'>,
  namespaceId: string,
  permission: NamespacePermission,
): Promise<void> {
  await trx
    .insertInto('namespace_grants')
    .values({ tenant_id: proof.target.tenantId, namespace_id: namespaceId, principal_id: proof.actor.id, permission })
    .execute()
}

/**
 * Makes the grants of one service account be exactly these.
 * @throws AppError `not_found` for a namespace that the tenant does not have.
 */
export async function replaceGrants(
  trx: Trx,
  tenantId: string,
  principalId: string,
  grants: ReadonlyMap<string, NamespacePermission>,
): Promise<void> {
  await trx
    .deleteFrom('namespace_grants')
    .where('tenant_id', '=', tenantId)
    .where('principal_id', '=', principalId)
    .execute()
  if (grants.size === 0) return
  const found = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...grants.keys()])
    .where('state', 'not in', ['deleting', 'deleted'])
    .execute()
  for (const namespaceId of grants.keys()) {
    if (!found.some((row) => row.id === namespaceId)) throw notFound('namespace', namespaceId)
  }
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
}

/** Grants by principal, for as many principals as a page shows. */
export async function grantsOf(
  executor: Executor,
  proof: Authorized<'service_account', 'read'> | Authorized<'service_account', 'list'>,
  principalIds: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, NamespacePermission>>> {
  const byPrincipal = new Map<string, Map<string, NamespacePermission>>()
  if (principalIds.length === 0) return byPrincipal
  const rows = await executor
    .selectFrom('namespace_grants')
    .select(['principal_id', 'namespace_id', 'permission'])
    .where('tenant_id', '=', proof.target.tenantId)
    .where('principal_id', 'in', [...principalIds])
    .execute()
  for (const row of rows) {
    const grants = byPrincipal.get(row.principal_id) ?? new Map<string, NamespacePermission>()
    grants.set(row.namespace_id, row.permission)
    byPrincipal.set(row.principal_id, grants)
  }
  return byPrincipal
}
