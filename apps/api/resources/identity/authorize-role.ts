import { authorize } from '#libs/authz'
import type { AccountRole } from '#libs/domain/users'
import type { Member } from '../../auth/member.ts'

/**
 * Asked besides, by whatever gives a user, a group or a service account its role: an admin who could make an owner would
 * be one.
 * @throws AppError `forbidden`
 */
export function authorizeRole(member: Member, role: AccountRole | 'none' | undefined): void {
  if (role === 'owner') authorize(member, 'account', 'grant_owner', { tenantId: member.tenantId })
}
