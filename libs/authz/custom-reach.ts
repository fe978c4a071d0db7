import { actionMatches, type CustomPermission, type CustomResourceType } from '#libs/domain/custom-roles'
import { isNamespaceIdOf } from '#libs/domain/users'
import type { AnyTarget } from './any-target.ts'
import type { Limit } from './authorized.ts'
import type { Access } from './claims.ts'
import { customActionGiving } from './custom-actions.ts'

/**
 * How far the custom roles of a caller reach of a target that is its own tenant's: each permission that names the
 * action, on a type of resource that the action belongs to, adds what it says. `whole` is what the whole of the type
 * comes to.
 */
export function customReach(
  { customPermissions, tenantId }: Access,
  resource: string,
  action: string,
  target: AnyTarget,
  whole: Limit,
): readonly Limit[] {
  const given = customActionGiving(resource, action)
  if (given === undefined) return []
  const limits: Limit[] = []
  for (const permission of customPermissions) {
    if (!given.on.includes(permission.resourceType)) continue
    if (!permission.actions.some((pattern) => actionMatches(pattern, given.name))) continue
    const limit = reachOf(permission, tenantId, target, whole)
    if (limit !== undefined) limits.push(limit)
  }
  return limits
}

function reachOf(
  { resourceType, allowAll, resourceIds }: CustomPermission,
  tenantId: string,
  target: AnyTarget,
  whole: Limit,
): Limit | undefined {
  if (allowAll) return whole
  const named = idOf(resourceType, target)
  if (named !== undefined) return resourceIds.includes(named) ? whole : undefined
  // A list of namespaces: these of them.
  if (resourceType !== 'namespace') return undefined
  return { kind: 'only', namespaceIds: new Set(resourceIds.filter((id) => isNamespaceIdOf(id, tenantId))) }
}

function idOf(resourceType: CustomResourceType, target: AnyTarget): string | undefined {
  switch (resourceType) {
    case 'account':
      return target.tenantId
    case 'namespace':
      return target.namespaceId
    case 'nexus_endpoint':
      return target.endpointId
    case 'connectivity_rule':
      return target.ruleId
    case 'custom_role':
      return target.roleId
  }
}
