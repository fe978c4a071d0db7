import type { Generated } from 'kysely'

export interface UsersTable {
  id: string
  tenant_id: string
  email: string
  account_role: string
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}
