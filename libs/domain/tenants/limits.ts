/**
 * How much one tenant may have. Each of these stands in what all tenants of a cell share: a namespace in the edge's
 * configuration and in the cell's room, a service account and a revoked key in every route table of the tenant. Without a
 * bound one tenant fills cells, or makes an edge too slow for everybody on it.
 */
export const tenantLimits = {
  namespaces: 1000,
  serviceAccounts: 1000,
  /** Keys that were deleted or disabled before they expired, of users and service accounts that are still there. */
  revokedApiKeys: 1000,
} as const

export type TenantLimit = keyof typeof tenantLimits
