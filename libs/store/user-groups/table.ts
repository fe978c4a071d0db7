import type { Generated } from 'kysely'

export interface UserGroupsTable {
  id: string
  tenant_id: string
  kind: 'cloud' | 'google' | 'scim'
  display_name: string
  google_email: string | null
  scim_idp_id: string | null
  account_role: Generated<string>
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}

export interface UserGroupMembersTable {
  tenant_id: string
  group_id: string
  user_id: string
  created_at: Generated<Date>
}
