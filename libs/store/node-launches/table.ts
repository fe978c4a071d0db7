import type { ColumnType, Generated } from 'kysely'

export interface NodeLaunchesTable {
  node_id: string
  revision: Generated<number>
  /** The driver's own words. */
  entry: ColumnType<Record<string, unknown>, string, string>
  ended: Generated<boolean>
}
