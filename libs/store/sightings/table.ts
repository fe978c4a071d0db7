import type { ColumnType } from 'kysely'

/** What collectors can take away. `machine`: one more machine of a node that has its own. */
export type OrphanKind = 'node' | 'machine' | 'address' | 'volume' | 'database' | 'dns_record'

export interface SightingsTable {
  scope: string
  kind: OrphanKind
  id: string
  cell_id: string
  stranger: boolean
  first_seen_at: Date
  asked_at: Date | null
}

export interface CollectedTable {
  kind: string
  total: ColumnType<number, number, number>
  last_at: Date
}
