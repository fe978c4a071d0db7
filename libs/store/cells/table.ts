import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely'
import type { CellSize, CellState } from '#libs/domain/cells'
import type { NodeTemplate } from '#libs/domain/nodes'

export interface CellsTable {
  id: string
  region: string
  driver: string
  state: Generated<CellState>
  namespace_limit: number
  history_shards: number
  size: Generated<CellSize>
  node_template: ColumnType<NodeTemplate, string | undefined, string>
  bootstrapped_at: ColumnType<Date | null, undefined, Date>
  draining: Generated<boolean>
  failover_version: GeneratedAlways<number>
  legacy_cluster_name: ColumnType<string | null, undefined, never>
  cluster_name: GeneratedAlways<string>
  server_version: string
  database_name: string
  database_password_sealed: string
  databases_observed: JSONColumnType<object> | null
  name_observed: ColumnType<object | null, undefined, string | null>
  generation: Generated<number>
  limits_version: Generated<number>
  conditions: ColumnType<Record<string, unknown>, string | undefined, string>
  failures: Generated<number>
  /** Not woken by the clock before that. */
  retry_at: ColumnType<Date | null, undefined, Date | null>
  lease_owner: string | null
  leased_until: Date | null
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
