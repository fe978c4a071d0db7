import type { Problem } from '#libs/base'

/** How much a namespace may ask of its cell: `on_demand` is what every namespace has, `provisioned` is counted in units (TRU). */
export type Capacity =
  | { readonly mode: 'on_demand' }
  | { readonly mode: 'provisioned' /** One of {@link capacityUnits}. */; readonly units: number }

/** Numbers of units that can be had: Temporal Cloud's. */
export const capacityUnits: readonly number[] = Object.freeze([2, 3, 4, 6, 8, 10, 12])

/** Actions a second of a namespace on demand, and of each unit. */
const actionsPerUnit = 500
/**
 * The server limits requests, and an action is up to four of them (poll and completion of a workflow task and of an
 * activity task). Temporal Cloud too has 2,000 requests a second beside 500 actions.
 */
const requestsPerAction = 4
/** List and count calls a second, of a namespace on demand and of each unit. */
const visibilityRequestsPerUnit = 30

/** What one namespace may ask of its cell over all frontends, each a second. */
export interface RequestLimits {
  readonly requestsPerSecond: number
  readonly visibilityRequestsPerSecond: number
}

export function actionsPerSecond(capacity: Capacity | undefined): number {
  return actionsPerUnit * unitsOf(capacity)
}

export function requestLimits(capacity: Capacity | undefined): RequestLimits {
  return {
    requestsPerSecond: actionsPerSecond(capacity) * requestsPerAction,
    visibilityRequestsPerSecond: visibilityRequestsPerUnit * unitsOf(capacity),
  }
}

export function capacityProblems(capacity: Capacity | undefined): Problem[] {
  if (capacity?.mode !== 'provisioned' || capacityUnits.includes(capacity.units)) return []
  const message = `must be one of ${capacityUnits.join(', ')}, not ${capacity.units}`
  return [{ field: 'spec.capacity_spec.provisioned.value', message }]
}

function unitsOf(capacity: Capacity | undefined): number {
  return capacity?.mode === 'provisioned' ? capacity.units : 1
}
