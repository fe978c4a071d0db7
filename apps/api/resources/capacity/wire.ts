import type { Problem } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import { actionsPerSecond, type Capacity, capacityUnits } from '#libs/domain/namespaces'
import type { NamespaceRow } from '#libs/store/namespaces'
import type { HandlersOf } from '../operations/wire.ts'

export type CapacityHandlers = HandlersOf<'GetNamespaceCapacityInfo'>

type Wire = typeof temporal.api.cloud.namespace.v1
type WireSpec = temporal.api.cloud.namespace.v1.ICapacitySpec
type WireCapacity = temporal.api.cloud.namespace.v1.ICapacity
type WireInfo = temporal.api.cloud.namespace.v1.INamespaceCapacityInfo

const { State } = cloud.namespace.v1.Capacity.Request satisfies Wire['Capacity']['Request']

/** Undefined for none, and for a message that names no mode: both leave it as it is. */
export function capacityFromWire(wire: WireSpec | null | undefined, problems: Problem[]): Capacity | undefined {
  const { onDemand, provisioned } = wire ?? {}
  const isProvisioned = provisioned !== null && provisioned !== undefined
  const isOnDemand = onDemand !== null && onDemand !== undefined
  if (isProvisioned && isOnDemand) {
    problems.push({ field: 'spec.capacity_spec', message: 'is either on_demand or provisioned, not both' })
  }
  if (isProvisioned) return { mode: 'provisioned', units: provisioned.value ?? 0 }
  return isOnDemand ? { mode: 'on_demand' } : undefined
}

export function capacitySpecToWire(capacity: Capacity): WireSpec {
  return capacity.mode === 'on_demand' ? { onDemand: {} } : { provisioned: { value: capacity.units } }
}

/** What acts now, and how the latest change went. */
export function capacityToWire({ capacity_status: status }: NamespaceRow): WireCapacity {
  const current = status?.current
  const request = status?.request
  return {
    ...(current?.mode === 'provisioned' ? { provisioned: { currentValue: current.units } } : { onDemand: {} }),
    ...(request === undefined
      ? {}
      : {
          latestRequest: {
            state: stateOf(request.outcome),
            startTime: toTimestamp(new Date(request.startedAt)),
            ...(request.endedAt === undefined ? {} : { endTime: toTimestamp(new Date(request.endedAt)) }),
            asyncOperationId: request.operationId,
            spec: capacitySpecToWire(request.capacity),
          },
        }),
  }
}

/** Without `stats`: nobody counts a namespace's actions yet, and zeros would say that there were none. */
export function capacityInfoToWire(row: NamespaceRow): WireInfo {
  return {
    namespace: row.id,
    hasLegacyLimits: false,
    currentCapacity: capacityToWire(row),
    modeOptions: {
      provisioned: { validTruValues: [...capacityUnits], maxAvailableTruValue: Math.max(...capacityUnits) },
      onDemand: { apsLimit: actionsPerSecond({ mode: 'on_demand' }) },
    },
  }
}

function stateOf(outcome: 'completed' | 'failed' | undefined): number {
  if (outcome === undefined) return State.STATE_CAPACITY_REQUEST_IN_PROGRESS
  return outcome === 'failed' ? State.STATE_CAPACITY_REQUEST_FAILED : State.STATE_CAPACITY_REQUEST_COMPLETED
}
