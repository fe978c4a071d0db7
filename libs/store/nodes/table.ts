import type { ColumnType, Generated, JSONColumnType } from 'kysely'
import type { NodeState } from '#libs/domain/cells'
import type { NodeRole, NodeTemplate } from '#libs/domain/nodes'

export interface NodesTable {
  id: string
  cell_id: string
  driver: string
  role: Generated<NodeRole>
  /** The place in the cell that it fills. */
  slot: Generated<string>
  zone_preference: Generated<number>
  template: ColumnType<NodeTemplate, string | undefined, string>
  retire_reason: ColumnType<string | null, undefined, string | null>
  retire_by: ColumnType<Date | null, undefined, Date | null>
  draining_since: ColumnType<Date | null, undefined, Date | null>
  machine_id: ColumnType<string | null, undefined, string | null>
  machine_zone: ColumnType<string | null, undefined, string | null>
  instance_type: ColumnType<string | null, undefined, string | null>
  public_address: ColumnType<string | null, undefined, string | null>
  /** When the driver first listed its machine. */
  seen_at: ColumnType<Date | null, undefined, Date>
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
  /** When it was last allowed to have a machine: see `libs/store/launches`. */
  launch_permitted_at: ColumnType<Date | null, undefined, Date>
  /** Both are written by the database, when the state changes. */
  first_ready_at: ColumnType<Date | null, undefined, never>
  ended_at: ColumnType<Date | null, undefined, never>
  /** Calls to launch it that failed in a row, and when the last one did. */
  launch_failures: Generated<number>
  launch_failed_at: ColumnType<Date | null, undefined, Date | null>
  /** Not woken by the clock before that. */
  retry_at: ColumnType<Date | null, undefined, Date | null>
  lease_owner: string | null
  leased_until: Date | null
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
