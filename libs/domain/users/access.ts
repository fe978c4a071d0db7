import type { Problem } from '#libs/base'

/** Account roles as the contract names them. Every user and every service account that is not scoped has exactly one. */
export const accountRoles = ['owner', 'admin', 'developer', 'finance_admin', 'read', 'metrics_read'] as const
export type AccountRole = (typeof accountRoles)[number]

/**
 * What a principal may be in its tenant: an account role, or `none`: a service account that is scoped to one namespace, a
 * group that has been given no role.
 */
export type PrincipalRole = AccountRole | 'none'
export const principalRoles: readonly PrincipalRole[] = [...accountRoles, 'none']

/** Namespace permissions, the strongest first. Each includes those after it. */
export const namespacePermissions = ['admin', 'write', 'read'] as const
export type NamespacePermission = (typeof namespacePermissions)[number]

/** What a user, a group, or a service account of the whole account may do. */
export interface AccessSpec<Role extends PrincipalRole = AccountRole> {
  /** `none` for groups alone: they may do without. */
  readonly accountRole: Role
  /** Namespace id → permission. Empty for owners and admins, who are admins of every namespace anyhow. */
  readonly namespaceAccesses: Readonly<Record<string, NamespacePermission>>
  /** Ids of custom roles, which add to the account role. */
  readonly customRoleIds: readonly string[]
}

type AnyAccess = AccessSpec<PrincipalRole>

/** Each grant is an entry in the edge's configuration: a bound keeps one principal from filling it. */
const maxNamespaceAccesses = 1000
/** All of them are read at each of the principal's calls. */
const maxCustomRoles = 10

/** Checks an access at the given field path (`spec.access`), for a principal of the tenant. */
export function validateAccess(access: AnyAccess, field: string, tenantId: string): Problem[] {
  const ids = Object.keys(access.namespaceAccesses)
  const problems = ids
    .filter((id) => !isNamespaceIdOf(id, tenantId))
    .map((id) => ({ field: `${field}.namespace_accesses`, message: `namespace ${JSON.stringify(id)} not found` }))
  if (ids.length > maxNamespaceAccesses) {
    problems.push({ field: `${field}.namespace_accesses`, message: `at most ${maxNamespaceAccesses} namespaces` })
  }
  if (access.customRoleIds.length > maxCustomRoles) {
    problems.push({ field: `${field}.account_access.custom_roles`, message: `at most ${maxCustomRoles} custom roles` })
  }
  if (ids.length > 0 && (access.accountRole === 'owner' || access.accountRole === 'admin')) {
    problems.push({
      field: `${field}.namespace_accesses`,
      message: `must be empty for the role ${access.accountRole}, which is admin of every namespace`,
    })
  }
  return problems
}

/**
 * Checks that one permission on one namespace, or none, may take the place of what the access says about it.
 * @param field of the permission (`access`).
 */
export function validateGrant(
  access: AnyAccess,
  namespaceId: string,
  permission: NamespacePermission | undefined,
  field: string,
): Problem[] {
  const { accountRole, namespaceAccesses } = access
  if (namespaceAccesses[namespaceId] === permission) return [{ field, message: 'nothing to change' }]
  if (permission === undefined) return []
  if (accountRole === 'owner' || accountRole === 'admin') {
    return [{ field, message: `must be empty for the role ${accountRole}, which is admin of every namespace` }]
  }
  const isNew = namespaceAccesses[namespaceId] === undefined
  return isNew && Object.keys(namespaceAccesses).length >= maxNamespaceAccesses
    ? [{ field, message: `at most ${maxNamespaceAccesses} namespaces` }]
    : []
}

/** Whether two accesses grant the same; the order of namespaces and of custom roles means nothing. */
export function accessEquals(a: AnyAccess, b: AnyAccess): boolean {
  const ids = Object.keys(a.namespaceAccesses)
  return (
    a.accountRole === b.accountRole &&
    ids.length === Object.keys(b.namespaceAccesses).length &&
    ids.every((id) => a.namespaceAccesses[id] === b.namespaceAccesses[id]) &&
    sameSet(a.customRoleIds, b.customRoleIds)
  )
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((each) => b.includes(each)) && b.every((each) => a.includes(each))
}

/** Whether the id is one of the tenant's, as far as an id can say it: `<name>.<tenant id>`. */
export function isNamespaceIdOf(namespaceId: string, tenantId: string): boolean {
  const dot = namespaceId.lastIndexOf('.')
  return dot > 0 && namespaceId.slice(dot + 1) === tenantId
}
