import type { Action, Resource } from './policy.ts'

/** Everything, of every tenant. Only operators and the system get proofs of that. */
export interface FleetTarget {
  readonly fleet: true
}

export interface TenantTarget {
  readonly tenantId: string
}

interface Targets {
  readonly account: TenantTarget
  readonly identity: TenantTarget
  readonly region: TenantTarget
  readonly namespace: TenantTarget & { readonly namespaceId: string }
  readonly user: TenantTarget & { readonly userId: string }
  readonly service_account: TenantTarget & { readonly serviceAccountId: string }
  readonly api_key: TenantTarget & { readonly keyId: string }
  readonly operation: TenantTarget & { readonly operationId: string }
  readonly waitlist_entry: { readonly entryId: string }
  readonly invitation: FleetTarget
  readonly tenant: TenantTarget
  readonly certificate: { readonly certificateId: string }
  readonly cell: { readonly cellId: string }
  readonly node: { readonly nodeId: string }
  readonly user_group: TenantTarget & { readonly groupId: string }
  readonly custom_role: TenantTarget & { readonly roleId: string }
  readonly nexus_endpoint: TenantTarget & { readonly endpointId: string }
  readonly connectivity_rule: TenantTarget & { readonly ruleId: string }
  readonly audit_log: TenantTarget
  readonly audit_log_sink: TenantTarget & { readonly sinkName: string }
  readonly operator: { readonly operatorName: string }
  readonly fleet_audit_log: FleetTarget
  readonly rollout: { readonly rolloutId: string }
  readonly orphan: FleetTarget
  readonly move: { readonly moveId: string }
  readonly cost: { readonly cellId: string }
}

type TenantOwned =
  | 'namespace'
  | 'user'
  | 'user_group'
  | 'service_account'
  | 'api_key'
  | 'custom_role'
  | 'nexus_endpoint'
  | 'connectivity_rule'
  | 'audit_log'
  | 'audit_log_sink'
  | 'region'

/**
 * What an action is done to, by the ids of the request: nothing has to be loaded first. `list` names the tenant alone,
 * or the whole fleet; `create` of an operator's noun names the fleet.
 */
export type Target<R extends Resource, A extends Action<R>> = A extends 'list'
  ? R extends TenantOwned
    ? TenantTarget
    : FleetTarget
  : A extends 'create'
    ? FleetTarget
    : Targets[R]
