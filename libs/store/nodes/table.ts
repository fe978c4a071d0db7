import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { NodeState } from '#libs/domain/cells'

export interface NodesTable {
  id: string
  cell_id: string
  driver: string
  address: string | null
  state: Generated<NodeState>
  observed: JSONColumnType<object> | null
  generation: Generated<number>
  manifest_settings: string | null
  /** Of the limits in the manifest of the row's generation. */
  limits_version: Generated<number>
  /** Of those that it holds. */
  limits_held: Generated<number>
  limits_held_at: ColumnType<Date | null, undefined, Date>
  conditions: ColumnType<Record<string, unknown>, string | undefined, string>
  failures: Generated<number>
  lease_owner: string | null
  leased_until: Date | null
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
