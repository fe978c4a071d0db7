import type { Generated } from 'kysely'

export interface ServiceAccountsTable {
  id: string
  tenant_id: string
  name: string
  description: Generated<string>
  account_role: string
  scoped_namespace_id: string | null
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}
