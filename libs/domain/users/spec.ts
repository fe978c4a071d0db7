import type { Problem } from '#libs/base'
import { type AccessSpec, accessEquals, type PrincipalRole, validateAccess } from './access.ts'
import { emailMistake, normalizeEmail } from './email.ts'

/** A person of a tenant. */
export interface UserSpec {
  readonly email: string
  readonly access: AccessSpec
}

/** An invited user is active at once: clients wait for that. `deleted` is a tombstone. */
export type UserState = 'active' | 'deleted'

export function validateUserSpec(spec: UserSpec, tenantId: string): Problem[] {
  const mistake = emailMistake(spec.email)
  const problems = mistake === undefined ? [] : [{ field: 'spec.email', message: mistake }]
  return [...problems, ...validateAccess(spec.access, 'spec.access', tenantId)]
}

/** Whom an identity provider made may have no role yet. */
type CurrentUser = Omit<UserSpec, 'access'> & { readonly access: AccessSpec<PrincipalRole> }

/** As for a new one; besides, the address is who somebody is and never changes, and something must. */
export function validateUserUpdate(current: CurrentUser, next: UserSpec, tenantId: string): Problem[] {
  const problems = validateUserSpec(next, tenantId)
  if (problems.length > 0) return problems
  if (normalizeEmail(current.email) !== normalizeEmail(next.email)) {
    return [{ field: 'spec.email', message: 'cannot be changed: delete the user, and create one with the new address' }]
  }
  return accessEquals(current.access, next.access) ? [{ field: 'spec', message: 'nothing to change' }] : []
}
