import type { Generated } from 'kysely'

export interface ApiKeysTable {
  id: string
  tenant_id: string
  owner_kind: 'user' | 'service_account'
  owner_id: string
  display_name: string
  description: Generated<string>
  disabled: Generated<boolean>
  expires_at: Date
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}
