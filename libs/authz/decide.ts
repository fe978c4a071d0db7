import { isNamespaceIdOf } from '#libs/domain/users'
import type { AnyTarget } from './any-target.ts'
import type { Limit } from './authorized.ts'
import type { Access, Claims, NamespacePermission } from './claims.ts'
import { customReach } from './custom-reach.ts'
import { namespacePermissionOf, permissionIncludes } from './namespace-permission.ts'
import { type Who, whoMay } from './policy.ts'

const all: Limit = Object.freeze({ kind: 'all' })
const notAccountOwners: Limit = Object.freeze({ kind: 'not_account_owners' })

/** What the policy lets these claims reach of the target; undefined: nothing. Knows nothing of errors. */
export function decide(claims: Claims, resource: string, action: string, target: AnyTarget): Limit | undefined {
  const row = whoMay(resource, action)
  // Whoever may do a thing with no credentials may do it with any.
  if (row.includes('anonymous')) return all
  switch (claims.kind) {
    case 'anonymous':
      return undefined
    case 'operator':
      if (row.includes(`operator_${claims.role}`)) return all
      return row.includes('self') && target.operatorName === claims.name ? all : undefined
    case 'system':
      return row.includes('system') ? all : undefined
    case 'user':
    case 'service_account': {
      if (target.tenantId !== claims.tenantId) return undefined
      if (target.namespaceId !== undefined && !isNamespaceIdOf(target.namespaceId, claims.tenantId)) return undefined
      return reachOfPrincipal(row, claims, resource, action, target)
    }
  }
}

function reachOfPrincipal(
  row: readonly Who[],
  claims: Access & { readonly principalId: string },
  resource: string,
  action: string,
  target: AnyTarget,
): Limit | undefined {
  let reached: Limit | undefined
  for (const who of row) {
    reached = wider(reached, reach(who, claims, action, target))
    if (reached === all) return all
  }
  if (claims.customPermissions.length === 0) return reached
  // Whoever may change principals by a custom role stops where admins stop.
  const whole = row.includes('admin_below_owner') ? notAccountOwners : all
  return customReach(claims, resource, action, target, whole).reduce(wider, reached)
}

function reach(
  who: Who,
  claims: Access & { readonly principalId: string },
  action: string,
  target: AnyTarget,
): Limit | undefined {
  switch (who) {
    case 'operator_viewer':
    case 'operator_support':
    case 'operator_admin':
    case 'system':
    case 'anonymous':
      return undefined
    case 'admin_below_owner':
      return claims.roles.has('admin') ? notAccountOwners : undefined
    case 'self':
      return reachOfSelf(claims.principalId, target)
    case 'namespace_admin':
      return reachOfNamespaces('admin', claims, action, target)
    case 'namespace_write':
      return reachOfNamespaces('write', claims, action, target)
    case 'namespace_read':
      return reachOfNamespaces('read', claims, action, target)
    default:
      return claims.roles.has(who) ? all : undefined
  }
}

function reachOfSelf(principalId: string, target: AnyTarget): Limit | undefined {
  const named = target.userId ?? target.serviceAccountId
  if (named === undefined) return { kind: 'only', ownerId: principalId, namespaceIds: new Set() }
  return named === principalId ? all : undefined
}

function reachOfNamespaces(
  wanted: NamespacePermission,
  access: Access,
  action: string,
  target: AnyTarget,
): Limit | undefined {
  if (target.namespaceId !== undefined) {
    return permissionIncludes(namespacePermissionOf(access, target.namespaceId), wanted) ? all : undefined
  }
  const granted = [...access.namespaceGrants.keys()].filter(
    (id) => isNamespaceIdOf(id, access.tenantId) && permissionIncludes(namespacePermissionOf(access, id), wanted),
  )
  // A list of nothing is an answer; one thing out of nothing is a refusal.
  if (granted.length === 0 && action !== 'list') return undefined
  return { kind: 'only', namespaceIds: new Set(granted) }
}

function wider(a: Limit | undefined, b: Limit | undefined): Limit | undefined {
  if (a === undefined || b === undefined) return a ?? b
  if (a.kind === 'all' || b.kind === 'all') return all
  if (a.kind === 'not_account_owners' || b.kind === 'not_account_owners') return notAccountOwners
  const ownerId = a.ownerId ?? b.ownerId
  const namespaceIds = new Set([...a.namespaceIds, ...b.namespaceIds])
  return ownerId === undefined ? { kind: 'only', namespaceIds } : { kind: 'only', ownerId, namespaceIds }
}
