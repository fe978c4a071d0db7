import type { Generated } from 'kysely'

export interface ConnectivityRulesTable {
  id: string
  tenant_id: string
  kind: 'public' | 'private'
  stable_ips: Generated<boolean>
  connection_id: Generated<string>
  region: Generated<string>
  gcp_project_id: Generated<string>
  resource_version: Generated<number>
  created_at: Generated<Date>
  deleted_at: Date | null
}
