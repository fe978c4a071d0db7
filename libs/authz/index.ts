export { authorize, systemActor } from './authorize.ts'
export type { Actor, Authorized, Limit } from './authorized.ts'
export {
  type Access,
  type AnonymousClaims,
  type Claims,
  type NamespacePermission,
  namespacePermissions,
  type OperatorClaims,
  type OperatorRole,
  operatorRoles,
  type PrincipalRole,
  principalRoles,
  type ServiceAccountClaims,
  type SystemClaims,
  type UserClaims,
} from './claims.ts'
export { assertCovers, type Given } from './covers.ts'
export { customActionsOn } from './custom-actions.ts'
export { decide } from './decide.ts'
export { creatorGrant, dataPlanePermission, namespacePermissionOf } from './namespace-permission.ts'
export { type Action, type Permission, policy, type Resource } from './policy.ts'
export { rpcIsInPolicy, rpcPermissions } from './rpcs.ts'
export type { FleetTarget, Target, TenantTarget } from './target.ts'
