import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { Capacity, CellLimits, NamespaceSpec, NamespaceState } from '#libs/domain/namespaces'
import type { NamespacePermission } from '#libs/domain/users'

export interface NamespacesTable {
  id: string
  tenant_id: string
  name: string
  region: string
  spec: JSONColumnType<NamespaceSpec>
  tags: ColumnType<Record<string, string>, string | undefined, string>
  state: Generated<NamespaceState>
  resource_version: Generated<number>
  generation: Generated<number>
  cell_id: string | null
  served: Generated<boolean>
  cell_observed: JSONColumnType<object> | null
  edge_observed: JSONColumnType<object> | null
  name_observed: ColumnType<object | null, undefined, string | null>
  waiting_for: Generated<string>
  failures: Generated<number>
  lease_owner: string | null
  leased_until: Date | null
  retry_at: ColumnType<Date | null, undefined, Date | null>
  limits_observed: ColumnType<LimitsRecord | null, undefined, string | null>
  capacity_status: ColumnType<CapacityStatus | null, undefined, string | null>
  created_by: string
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}

/** What the cell's nodes were asked to hold for a namespace. */
export interface LimitsRecord {
  readonly limits: CellLimits
  /** Of the cell's limits: a node that holds this version, or a later one, holds these. */
  readonly version: number
  /** Whether every node's servers were seen to hold them, and have had the time to read them. */
  readonly acting: boolean
}

export interface CapacityStatus {
  /** What acts; absent until a wish was fulfilled. */
  readonly current?: Capacity
  readonly request?: {
    readonly capacity: Capacity
    readonly operationId: string
    /** ISO 8601. */
    readonly startedAt: string
    readonly endedAt?: string
    readonly outcome?: 'completed' | 'failed'
  }
}

export interface NamespaceGrantsTable {
  tenant_id: string
  namespace_id: string
  principal_id: string
  permission: NamespacePermission
  created_at: Generated<Date>
}
