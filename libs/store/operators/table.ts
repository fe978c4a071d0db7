import type { Generated } from 'kysely'

export interface OperatorsTable {
  name: string
  role: 'viewer' | 'support' | 'admin'
  resource_version: Generated<number>
  created_by: string
  created_at: Generated<Date>
  updated_by: string | null
  updated_at: Date | null
  deleted_at: Date | null
}
