import type { Problem } from '#libs/base'
import {
  type AccessSpec,
  accessEquals,
  emailMistake,
  lineMistake,
  normalizeEmail,
  type PrincipalRole,
  validateAccess,
} from '#libs/domain/users'

/**
 * Where a group comes from. Members of a `cloud` group are set through the Cloud Ops API; those of the others belong to
 * Google or to the tenant's identity provider, and so does a SCIM group itself.
 */
export type UserGroupSource =
  | { readonly kind: 'cloud' }
  | { readonly kind: 'google'; readonly emailAddress: string }
  | { readonly kind: 'scim'; readonly idpId: string }

/** Users of a tenant who share what the group may do, on top of their own. */
export interface UserGroupSpec {
  /** Unique among the tenant's groups that are not deleted. */
  readonly displayName: string
  readonly source: UserGroupSource
  readonly access: AccessSpec<PrincipalRole>
}

/**
 * Of all groups of an account together: members, namespaces, and each member times each namespace. As much as if every
 * user of the account were given every namespace by itself.
 */
export const maxGroupReach = 1_000_000

/** As Temporal Cloud has it for its own groups. Other names come from elsewhere. */
const cloudName = /^[a-z0-9_-]{3,64}$/

/** Checks a new group. Whether the caller may make one of that kind is the handler's question. */
export function validateUserGroupSpec(spec: UserGroupSpec, tenantId: string): Problem[] {
  const problems: Problem[] = []
  const report = (field: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ field, message })
  }
  const { source } = spec
  if (source.kind !== 'cloud') report('spec.display_name', lineMistake(spec.displayName, 1, 128))
  else if (!cloudName.test(spec.displayName)) {
    report('spec.display_name', 'must have 3 to 64 characters of a-z, 0-9, _ and -')
  }
  if (source.kind === 'google') report('spec.google_group.email_address', emailMistake(source.emailAddress))
  if (source.kind === 'scim') report('spec.scim_group.idp_id', lineMistake(source.idpId, 1, 256))
  return [...problems, ...validateAccess(spec.access, 'spec.access', tenantId)]
}

/**
 * As for a new one; besides, the kind never changes, what the identity provider says of a SCIM group changes there alone,
 * and something must.
 */
export function validateUserGroupUpdate(current: UserGroupSpec, next: UserGroupSpec, tenantId: string): Problem[] {
  const problems = validateUserGroupSpec(next, tenantId)
  if (problems.length > 0) return problems
  if (current.source.kind !== next.source.kind)
    return [{ field: 'spec', message: 'the kind of group cannot be changed' }]
  const same = sameSource(current.source, next.source)
  if (current.source.kind === 'scim' && (!same || current.displayName !== next.displayName)) {
    const field = same ? 'spec.display_name' : 'spec.scim_group.idp_id'
    return [{ field, message: 'comes from your identity provider: change it there' }]
  }
  const equal = same && current.displayName === next.displayName && accessEquals(current.access, next.access)
  return equal ? [{ field: 'spec', message: 'nothing to change' }] : []
}

function sameSource(a: UserGroupSource, b: UserGroupSource): boolean {
  if (a.kind === 'google' && b.kind === 'google')
    return normalizeEmail(a.emailAddress) === normalizeEmail(b.emailAddress)
  if (a.kind === 'scim' && b.kind === 'scim') return a.idpId === b.idpId
  return a.kind === b.kind
}
