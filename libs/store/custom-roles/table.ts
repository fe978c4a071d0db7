import type { Generated, JSONColumnType } from 'kysely'
import type { CustomPermission } from '#libs/domain/custom-roles'

export interface CustomRolesTable {
  id: string
  tenant_id: string
  name: string
  description: Generated<string>
  permissions: JSONColumnType<readonly CustomPermission[]>
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Date | null
  deleted_at: Date | null
}

export interface PrincipalCustomRolesTable {
  tenant_id: string
  principal_id: string
  role_id: string
  created_at: Generated<Date>
}
