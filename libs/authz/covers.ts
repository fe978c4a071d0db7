import { AppError } from '#libs/base'
import { type CustomPermission, type CustomResourceType, customResourceTypes } from '#libs/domain/custom-roles'
import type { AnyTarget } from './any-target.ts'
import type { Limit } from './authorized.ts'
import type { Access, NamespacePermission, PrincipalRole, ServiceAccountClaims, UserClaims } from './claims.ts'
import { decide } from './decide.ts'
import { isAccountAdmin, namespacePermissionOf, permissionIncludes } from './namespace-permission.ts'
import { policy, type Resource } from './policy.ts'

/** What somebody is about to give to a principal, a group or a custom role, or finds that it has. */
export interface Given {
  readonly roles: readonly PrincipalRole[]
  readonly namespaceGrants: ReadonlyMap<string, NamespacePermission>
  readonly customPermissions: readonly CustomPermission[]
}

/**
 * Nobody gives more than they have, nor changes a principal that has more: else whoever may change users or roles by a
 * custom role could make themselves whatever they like.
 * @throws AppError `forbidden`
 */
export function assertCovers(giver: UserClaims | ServiceAccountClaims, given: Given): void {
  if (covers(giver, given)) return
  throw new AppError('forbidden', 'you may not give or take access that goes beyond your own', {
    context: { actor: giver.principalId, given },
  })
}

/** Whether whoever has all of this could do nothing that the giver cannot: on every row of the policy. */
export function covers(giver: UserClaims | ServiceAccountClaims, given: Given): boolean {
  if (giver.roles.has('owner')) return true
  const { tenantId } = giver
  const receiver: typeof giver = {
    ...giver,
    roles: new Set(given.roles),
    namespaceGrants: given.namespaceGrants,
    customPermissions: given.customPermissions,
  }
  if (isAccountAdmin(receiver) && !isAccountAdmin(giver)) return false
  if (!holdsGrants(giver, given.namespaceGrants)) return false
  const reachesNoFurther = (resource: Resource, target: AnyTarget) =>
    Object.keys(policy[resource]).every((action) =>
      includes(decide(giver, resource, action, target), decide(receiver, resource, action, target)),
    )
  return (
    resources.every((resource) => reachesNoFurther(resource, { tenantId })) &&
    namedTargets(tenantId, given).every(({ resource, target }) => reachesNoFurther(resource, target))
  )
}

const resources = Object.keys(policy) as readonly Resource[]

/** Grants are worth something on the data plane, too, of which the policy does not speak. */
function holdsGrants(giver: Access, grants: Given['namespaceGrants']): boolean {
  return [...grants].every(([id, permission]) => permissionIncludes(namespacePermissionOf(giver, id), permission))
}

const namedBy: Readonly<Record<CustomResourceType, (id: string) => AnyTarget>> = {
  account: (tenantId) => ({ tenantId }),
  namespace: (namespaceId) => ({ namespaceId }),
  nexus_endpoint: (endpointId) => ({ endpointId }),
  connectivity_rule: (ruleId) => ({ ruleId }),
  custom_role: (roleId) => ({ roleId }),
}

/** Everything that is given by name, each once; whatever else is given reaches everything, or nothing. */
function namedTargets(tenantId: string, { namespaceGrants, customPermissions }: Given) {
  return customResourceTypes.flatMap((resource) => {
    const named = customPermissions.filter(({ resourceType }) => resourceType === resource)
    const ids = new Set(named.flatMap(({ resourceIds }) => resourceIds))
    if (resource === 'namespace') for (const id of namespaceGrants.keys()) ids.add(id)
    return [...ids].map((id) => ({ resource, target: { tenantId, ...namedBy[resource](id) } }))
  })
}

function includes(held: Limit | undefined, wanted: Limit | undefined): boolean {
  if (wanted === undefined || held?.kind === 'all') return true
  if (held === undefined || wanted.kind === 'all') return false
  if (held.kind === 'not_account_owners') return true
  if (wanted.kind === 'not_account_owners') return false
  return (
    (wanted.ownerId === undefined || wanted.ownerId === held.ownerId) &&
    [...wanted.namespaceIds].every((id) => held.namespaceIds.has(id))
  )
}
