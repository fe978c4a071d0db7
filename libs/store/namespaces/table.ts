import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { NamespaceSpec, NamespaceState } from '#libs/domain/namespaces'
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
  waiting_for: Generated<string>
  failures: Generated<number>
  lease_owner: string | null
  leased_until: Date | null
  created_by: string
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}

export interface NamespaceGrantsTable {
  tenant_id: string
  namespace_id: string
  principal_id: string
  permission: NamespacePermission
  created_at: Generated<Date>
}
