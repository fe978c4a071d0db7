import type { ColumnType, Generated } from 'kysely'
import type { PaceOverrides, TenantState } from '#libs/domain/tenants'

export interface TenantsTable {
  id: string
  name: string
  state: Generated<TenantState>
  state_reason: Generated<string>
  /** PEM, byte for byte; empty: the account's metrics are off. */
  metrics_client_ca: Generated<string>
  /** Where this tenant's pace is not the default one. */
  limits: ColumnType<PaceOverrides, string | undefined, string>
  resource_version: Generated<number>
  created_at: Generated<Date>
  updated_at: Generated<Date>
}
