import type { ColumnType, Generated, JSONColumnType } from 'kysely'

export interface NodesTable {
  id: string
  cell_id: string
  driver: string
  address: string | null
  state: Generated<'creating' | 'ready' | 'failed' | 'deleting' | 'deleted'>
  observed: JSONColumnType<object> | null
  generation: Generated<number>
  conditions: ColumnType<Record<string, unknown>, string | undefined, string>
  failures: Generated<number>
  lease_owner: string | null
  leased_until: Date | null
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
