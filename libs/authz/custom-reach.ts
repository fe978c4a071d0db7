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
  const gifts = giftsOf(customPermissions, resource, action)
  return gifts.flatMap((gift) => reachOf(gift, tenantId, target, whole) ?? [])
}

/** What permissions give of one row of the policy, on one type of resource. */
interface Gift {
  readonly resourceType: CustomResourceType
  readonly allowAll: boolean
  readonly ids: ReadonlySet<string>
}

/** By the permissions of one caller, and by row: whoever is compared id by id is asked for the same row many times. */
const known = new WeakMap<readonly CustomPermission[], Map<string, readonly Gift[]>>()

function giftsOf(permissions: readonly CustomPermission[], resource: string, action: string): readonly Gift[] {
  const custom = customActionGiving(resource, action)
  if (custom === undefined) return []
  let byAction = known.get(permissions)
  if (byAction === undefined) {
    byAction = new Map()
    known.set(permissions, byAction)
  }
  let gifts = byAction.get(custom.name)
  if (gifts === undefined) {
    gifts = custom.on.flatMap((resourceType) => {
      const given = permissions.filter(
        (each) =>
          each.resourceType === resourceType && each.actions.some((pattern) => actionMatches(pattern, custom.name)),
      )
      const ids = new Set(given.flatMap(({ resourceIds }) => resourceIds))
      return given.length === 0 ? [] : [{ resourceType, allowAll: given.some(({ allowAll }) => allowAll), ids }]
    })
    byAction.set(custom.name, gifts)
  }
  return gifts
}

function reachOf(
  { resourceType, allowAll, ids }: Gift,
  tenantId: string,
  target: AnyTarget,
  whole: Limit,
): Limit | undefined {
  if (allowAll) return whole
  const named = idOf(resourceType, target)
  if (named !== undefined) return ids.has(named) ? whole : undefined
  // A list of namespaces: these of them.
  if (resourceType !== 'namespace') return undefined
  return { kind: 'only', namespaceIds: new Set([...ids].filter((id) => isNamespaceIdOf(id, tenantId))) }
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
