import type { ColumnType, Generated, GeneratedAlways } from 'kysely'
import type { NodeTemplate } from '#libs/domain/nodes'
import type { CellProgress, RolloutState } from '#libs/domain/rollouts'

export interface RolloutsTable {
  id: string
  /** The order in which they were begun. */
  seq: GeneratedAlways<number>
  region: string
  target: ColumnType<NodeTemplate, string, never>
  canary_cell_id: string
  cells_at_once: number
  soak_seconds: number
  node_seconds: number
  unwell_seconds: number
  state: Generated<RolloutState>
  reason: Generated<string>
  generation: Generated<number>
  failures: Generated<number>
  lease_owner: ColumnType<string | null, undefined, string | null>
  leased_until: ColumnType<Date | null, undefined, Date | null>
  created_by: string
  created_at: Generated<Date>
  updated_at: Generated<Date>
  ended_at: ColumnType<Date | null, undefined, Date | null>
}

export interface RolloutCellsTable {
  rollout_id: string
  cell_id: string
  /** The node template that it had before. */
  previous: ColumnType<NodeTemplate, string, never>
  progress: Generated<CellProgress>
  since: ColumnType<Date, Date | undefined, Date>
  judged: Generated<boolean>
  breaks: Generated<number>
  unwell_since: ColumnType<Date | null, undefined, Date | null>
  detail: Generated<string>
}
