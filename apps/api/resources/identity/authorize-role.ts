import { authorize } from '#libs/authz'
import type { PrincipalRole } from '#libs/domain/users'
import type { Member } from '../../auth/member.ts'

/**
 * Asked besides, by whatever gives a user, a group or a service account its role: an admin who could make an owner would
 * be one.
 * @throws AppError `forbidden`
 */
export function authorizeRole(member: Member, role: PrincipalRole | undefined): void {
  if (role === 'owner') authorize(member, 'account', 'grant_owner', { tenantId: member.tenantId })
}
