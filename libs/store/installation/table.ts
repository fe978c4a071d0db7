import type { Generated } from 'kysely'

export interface InstallationTable {
  only_one: Generated<boolean>
  id: string
  created_at: Generated<Date>
}
