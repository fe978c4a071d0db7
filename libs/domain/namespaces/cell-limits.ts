import { requestLimits } from './capacity.ts'
import type { NamespaceSpec } from './spec.ts'

/** How the cell's servers treat one namespace, as far as it differs from what they do by default. */
export interface CellLimits {
  readonly requestsPerSecond?: number
  readonly visibilityRequestsPerSecond?: number
  /** Task queue fairness; off by default. */
  readonly fairness?: boolean
}

export function cellLimitsOf(spec: Pick<NamespaceSpec, 'capacity' | 'fairness'>): CellLimits {
  return {
    ...(spec.capacity?.mode === 'provisioned' ? requestLimits(spec.capacity) : {}),
    ...(spec.fairness?.taskQueueFairness === true ? { fairness: true } : {}),
  }
}

export function sameCellLimits(a: CellLimits, b: CellLimits): boolean {
  return (
    a.requestsPerSecond === b.requestsPerSecond &&
    a.visibilityRequestsPerSecond === b.visibilityRequestsPerSecond &&
    (a.fairness ?? false) === (b.fairness ?? false)
  )
}
