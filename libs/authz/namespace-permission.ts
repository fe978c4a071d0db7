import { isNamespaceIdOf } from '#libs/domain/users'
import { type Access, type NamespacePermission, namespacePermissions } from './claims.ts'

/**
 * What somebody may do on one namespace: account owners and admins are admins of every namespace of their tenant,
 * everybody else has what they were granted. A grant on another tenant's namespace counts for nothing.
 */
export function namespacePermissionOf(access: Access, namespaceId: string): NamespacePermission | undefined {
  if (!isNamespaceIdOf(namespaceId, access.tenantId)) return undefined
  if (isAccountAdmin(access)) return 'admin'
  return access.namespaceGrants.get(namespaceId)
}

export function permissionIncludes(held: NamespacePermission | undefined, wanted: NamespacePermission): boolean {
  return held !== undefined && namespacePermissions.indexOf(held) <= namespacePermissions.indexOf(wanted)
}

/**
 * What a principal's API key is worth at the edge: whom the edge lists among a namespace's writers and readers. The
 * account roles developer, read, finance_admin, metrics_read and none give nothing by themselves.
 */
export function dataPlanePermission(access: Access, namespaceId: string): 'write' | 'read' | undefined {
  const permission = namespacePermissionOf(access, namespaceId)
  if (permission === undefined) return undefined
  return permission === 'read' ? 'read' : 'write'
}

/**
 * The grant that a creator gets with a new namespace: admin, unless their account role gives it already. Taking it away
 * again later is possible for developers, as the public documentation says.
 */
export function creatorGrant(access: Access): NamespacePermission | undefined {
  return isAccountAdmin(access) ? undefined : 'admin'
}

/** Owners and admins. */
export function isAccountAdmin({ roles }: Access): boolean {
  return roles.has('owner') || roles.has('admin')
}
