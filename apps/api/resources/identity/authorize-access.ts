import { assertCovers, authorize, type NamespacePermission } from '#libs/authz'
import type { AccessSpec, PrincipalRole } from '#libs/domain/users'
import type { Executor } from '#libs/store'
import { customPermissionsOf } from '#libs/store/custom-roles'
import type { Member } from '../../auth/member.ts'

type Access = AccessSpec<PrincipalRole>

/**
 * Asked besides, by whatever makes, changes or deletes a user, a group or a service account: nobody gives more than
 * they have, nobody touches who has more, and custom roles are given by whoever may assign them. For account
 * owners all of this is so anyhow.
 * @param change what the principal has before and after, as far as it is there then.
 * @throws AppError `forbidden`
 */
export async function authorizeAccess(
  executor: Executor,
  member: Member,
  { before, after }: { readonly before?: Access; readonly after?: Access },
): Promise<void> {
  const { tenantId } = member
  const had = before?.customRoleIds ?? []
  const isAdded = after?.customRoleIds.some((id) => !had.includes(id)) ?? false
  if (isAdded) authorize(member, 'account', 'assign_custom_role', { tenantId })
  for (const access of [before, after]) if (access !== undefined) await assertOwnCovers(executor, member, access)
}

/** The same for a permission on one namespace, before and after; undefined for none. @throws AppError `forbidden` */
export function authorizeGrant(
  member: Member,
  namespaceId: string,
  ...permissions: readonly (NamespacePermission | undefined)[]
): void {
  for (const permission of permissions) {
    if (permission === undefined) continue
    const namespaceGrants = new Map([[namespaceId, permission]])
    assertCovers(member, { roles: ['none'], namespaceGrants, customPermissions: [] })
  }
}

async function assertOwnCovers(executor: Executor, member: Member, access: Access): Promise<void> {
  const proof = authorize(member, 'identity', 'read', { tenantId: member.tenantId })
  assertCovers(member, {
    roles: [access.accountRole],
    namespaceGrants: new Map(Object.entries(access.namespaceAccesses)),
    customPermissions: await customPermissionsOf(executor, proof, access.customRoleIds),
  })
}
