/** What a custom role may speak of. */
export const customResourceTypes = ['account', 'namespace', 'nexus_endpoint', 'connectivity_rule'] as const
export type CustomResourceType = (typeof customResourceTypes)[number]

/** One line of a custom role: these actions on these resources. */
export interface CustomPermission {
  readonly resourceType: CustomResourceType
  /** Every resource of the type, those that are made later too; `resourceIds` is empty then. */
  readonly allowAll: boolean
  readonly resourceIds: readonly string[]
  /** As the contract writes them: `cloud.namespace.get`. */
  readonly actions: readonly string[]
}

/** A named bundle of permissions that a tenant gives its principals besides their account role. It only ever adds. */
export interface CustomRoleSpec {
  /** Unique among the tenant's custom roles. */
  readonly name: string
  readonly description: string
  readonly permissions: readonly CustomPermission[]
}
