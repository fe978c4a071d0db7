import type { Authorized, NamespacePermission } from '#libs/authz'
import type { Trx } from '../database.ts'

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
