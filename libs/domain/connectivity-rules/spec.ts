/**
 * A way to namespaces. A rule never changes, so that what a namespace is reached by changes only when the namespace's
 * spec names other rules.
 */
export type ConnectivityRuleSpec = PublicRule | PrivateRule

/** The edge's public listener. One an account. */
export interface PublicRule {
  readonly kind: 'public'
  /** Kept and given back. The addresses of an edge are the operator's affair, the same for every namespace. */
  readonly stableIps: boolean
}

/** One connection of the tenant's own network (a VPC endpoint, a Private Service Connect endpoint). */
export interface PrivateRule {
  readonly kind: 'private'
  /** AWS: the VPC endpoint's id, `vpce-…`. GCP: the PSC connection id, a decimal number. */
  readonly connectionId: string
  /** A region id, `<provider>-<region>`. */
  readonly region: string
  /** Of GCP regions alone; empty elsewhere. */
  readonly gcpProjectId: string
}

/** Rules that one account may have, of both kinds. */
export const maxRules = 50
/** Private rules that one namespace may have. */
export const maxPrivateRules = 5
