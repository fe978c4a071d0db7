import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { NamespaceState } from '#libs/domain/namespaces'

export interface NexusEndpointsTable {
  id: string
  tenant_id: string
  name: string
  description: Buffer | null
  target_namespace_id: string
  target_task_queue: string
  allowed_namespace_ids: ColumnType<string[], readonly string[], readonly string[]>
  /** The same life as a namespace's, and the same table of transitions. */
  state: Generated<NamespaceState>
  resource_version: Generated<number>
  generation: Generated<number>
  cell_id: string | null
  served: Generated<boolean>
  cell_observed: JSONColumnType<object> | null
  edge_observed: JSONColumnType<object> | null
  waiting_for: Generated<string>
  failures: Generated<number>
  /** Not woken by the clock before that. */
  retry_at: ColumnType<Date | null, undefined, Date | null>
  lease_owner: string | null
  leased_until: Date | null
  created_by: string
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}
