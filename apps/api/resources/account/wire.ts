import { cloud, type temporal } from '#libs/cloud-api'
import type { TenantRow } from '#libs/store/tenants'
import type { HandlersOf } from '../operations/wire.ts'

export type AccountHandlers = HandlersOf<'GetAccount'>

/** `metrics` stays unset: there is no metrics endpoint for accounts. Who is suspended gets no answer at all. */
export function accountToWire(tenant: TenantRow): temporal.api.cloud.account.v1.IAccount {
  return {
    id: tenant.id,
    spec: {},
    resourceVersion: String(tenant.resource_version),
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
  }
}
