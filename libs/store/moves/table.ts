import type { ColumnType, Generated } from 'kysely'
import type { MoveState } from '#libs/domain/moves'

export interface MovesTable {
  id: string
  namespace_id: string
  source_cell_id: string
  target_cell_id: string
  state: Generated<MoveState>
  abort_reason: ColumnType<string | null, undefined, string>
  state_since: Generated<Date>
  waiting_for: Generated<string>
  failures: Generated<number>
  requested_by: string
  lease_owner: ColumnType<string | null, undefined, string | null>
  leased_until: ColumnType<Date | null, undefined, Date | null>
  retry_at: ColumnType<Date | null, undefined, Date | null>
  created_at: Generated<Date>
  updated_at: Generated<Date>
  finished_at: ColumnType<Date | null, undefined, Date | null>
}
