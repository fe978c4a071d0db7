import type { Problem } from '#libs/base'

/**
 * How much one tenant may have. Each of these stands in what all tenants of a cell share: a namespace in the edge's
 * configuration and in the cell's room; a user, a service account and a revoked key in every route table of the tenant;
 * groups in what is read to make those. Without a bound one tenant fills cells, or makes an edge too slow for everybody
 * on it.
 */
export const tenantLimits = {
  namespaces: 1000,
  users: 1000,
  /** In a day: each is a mail to an address that anybody may have, and users come and go. */
  invitations: 2000,
  userGroups: 1000,
  serviceAccounts: 1000,
  /** Each is read at every call of whoever holds it. */
  customRoles: 100,
  /** Each is a name on the cell, and a route for each caller. */
  nexusEndpoints: 100,
  /** Keys that were deleted or disabled before they expired, of users and service accounts that are still there. */
  revokedApiKeys: 1000,
} as const

export type TenantLimit = keyof typeof tenantLimits

/**
 * How fast one tenant may be, unless an operator says otherwise for it: calls of the Cloud Ops API a second, counted over
 * all replicas, and operations that have not ended. The numbers are those that Temporal Cloud documents.
 */
export const defaultPace = {
  /** Calls a second of all its users and service accounts together. */
  requestsPerSecond: 160,
  /** Calls a second of one user, over all keys of that user. */
  userRequestsPerSecond: 40,
  /** Calls a second of one service account, over all its keys. */
  serviceAccountRequestsPerSecond: 80,
  /** Operations that are PENDING or IN_PROGRESS at once. */
  operationsInFlight: 10,
} as const

export type PaceLimit = keyof typeof defaultPace
export type Pace = Readonly<Record<PaceLimit, number>>
/** What an operator set for one tenant; what is not in it is as by default. */
export type PaceOverrides = Partial<Pace>

export const paceLimits = Object.keys(defaultPace) as readonly PaceLimit[]

/** The most that an operator may set. None is no answer: whoever is to be shut out is suspended. */
export const highestPace = 1_000_000

export function paceOf(overrides: PaceOverrides): Pace {
  return { ...defaultPace, ...overrides }
}

/** What is wrong with overrides as an operator sent them. */
export function validatePace(overrides: PaceOverrides): Problem[] {
  return paceLimits.flatMap((field) => {
    const value = overrides[field]
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= highestPace)) return []
    return [{ field, message: `must be a whole number from 1 to ${highestPace}` }]
  })
}
