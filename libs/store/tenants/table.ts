import type { Generated } from 'kysely'

export interface TenantsTable {
  id: string
  name: string
  state: Generated<'active' | 'suspended'>
  state_reason: Generated<string>
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
