import { isNamespaceIdOf } from '#libs/domain/users'
import type { Limit } from './authorized.ts'
import type { Access, Claims, NamespacePermission } from './claims.ts'
import { namespacePermissionOf, permissionIncludes } from './namespace-permission.ts'
import { type Who, whoMay } from './policy.ts'

/** The ids that a target may carry, whatever its resource. */
export interface AnyTarget {
  readonly fleet?: true
  readonly tenantId?: string
  readonly namespaceId?: string
  readonly userId?: string
  readonly serviceAccountId?: string
  readonly keyId?: string
  readonly operationId?: string
  readonly entryId?: string
  readonly certificateId?: string
  readonly cellId?: string
  readonly nodeId?: string
  readonly groupId?: string
  readonly roleId?: string
  readonly endpointId?: string
  readonly ruleId?: string
  readonly operatorName?: string
}

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
      return row.includes(`operator_${claims.role}`) ? all : undefined
    case 'system':
      return row.includes('system') ? all : undefined
    case 'user':
    case 'service_account': {
      if (target.tenantId !== claims.tenantId) return undefined
      if (target.namespaceId !== undefined && !isNamespaceIdOf(target.namespaceId, claims.tenantId)) return undefined
      return widest(row.map((who) => reach(who, claims, action, target)))
    }
  }
}

function reach(who: Who, claims: Access & { principalId: string }, action: string, target: AnyTarget) {
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

function widest(limits: readonly (Limit | undefined)[]): Limit | undefined {
  if (limits.includes(all)) return all
  if (limits.includes(notAccountOwners)) return notAccountOwners
  const some = limits.filter((limit) => limit?.kind === 'only')
  if (some.length === 0) return undefined
  const ownerId = some.find((limit) => limit.ownerId !== undefined)?.ownerId
  const namespaceIds = new Set(some.flatMap((limit) => [...limit.namespaceIds]))
  return ownerId === undefined ? { kind: 'only', namespaceIds } : { kind: 'only', ownerId, namespaceIds }
}
