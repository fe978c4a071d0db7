import type { CustomPermission } from '#libs/domain/custom-roles'
import { type NamespacePermission, namespacePermissions, type PrincipalRole, principalRoles } from '#libs/domain/users'

export { type NamespacePermission, namespacePermissions, type PrincipalRole, principalRoles }

export const operatorRoles = ['admin', 'support', 'viewer'] as const
/** Each includes those after it. */
export type OperatorRole = (typeof operatorRoles)[number]

/**
 * Who calls, and what they are: made by the claim mapper from a verified credential and from the rows, at every call,
 * so that a change of role acts at once. Nothing in here comes from a token but ids.
 */
export type Claims = UserClaims | ServiceAccountClaims | OperatorClaims | AnonymousClaims | SystemClaims

/** What a principal of a tenant may do, whoever it is. */
export interface Access {
  readonly tenantId: string
  /** The principal's own, and those of the groups that it is in: whatever any of them lets it do, it may. */
  readonly roles: ReadonlySet<PrincipalRole>
  /**
   * Namespace id → the strongest permission, its own or of one of its groups. A grant on a namespace of another tenant
   * counts for nothing.
   */
  readonly namespaceGrants: ReadonlyMap<string, NamespacePermission>
  /** Of its custom roles, and of those of its groups. */
  readonly customPermissions: readonly CustomPermission[]
}

interface PrincipalClaims extends Access {
  /** `usr-…` or `sa-…` */
  readonly principalId: string
  /** The invitation that made the tenant is its first user's credential once, for the first API key. */
  readonly credential: { readonly kind: 'api_key' | 'invitation'; readonly id: string }
}

export interface UserClaims extends PrincipalClaims {
  readonly kind: 'user'
}

export interface ServiceAccountClaims extends PrincipalClaims {
  readonly kind: 'service_account'
}

export interface OperatorClaims {
  readonly kind: 'operator'
  readonly name: string
  readonly role: OperatorRole
  /** SHA-256 of the leaf, lower-case hex. */
  readonly credential: { readonly kind: 'certificate'; readonly fingerprint: string }
}

export interface AnonymousClaims {
  readonly kind: 'anonymous'
}

/** A part of the product that acts on its own. Only `systemActor` makes these. */
export interface SystemClaims {
  readonly kind: 'system'
  readonly actor: string
}
