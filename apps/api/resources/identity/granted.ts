import type { AccessSpec, PrincipalRole } from '#libs/domain/users'
import type { GrantedAccess } from '#libs/store/access'

/** The part of an access that stands in rows of its own, beside the principal's account role. */
export function grantedIn(access: AccessSpec<PrincipalRole>): GrantedAccess {
  return { grants: new Map(Object.entries(access.namespaceAccesses)), customRoleIds: access.customRoleIds }
}
