import type { Generated } from 'kysely'

export interface SweepsTable {
  /** Of which there is one at a time: `cells`, `certificates`. */
  kind: string
  due_at: Generated<Date>
  /** Which replica is at it; null between two sweeps. */
  holder: string | null
  held_until: Date | null
}
