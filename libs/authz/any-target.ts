/** The ids that a target may carry, whatever its resource. */
export interface AnyTarget {
  readonly fleet?: true
  readonly tenantId?: string
  readonly namespaceId?: string
  readonly userId?: string
  readonly serviceAccountId?: string
  readonly keyId?: string
  readonly operationId?: string
  readonly entryId?: string
  readonly certificateId?: string
  readonly cellId?: string
  readonly nodeId?: string
  readonly groupId?: string
  readonly roleId?: string
  readonly endpointId?: string
  readonly ruleId?: string
  readonly sinkName?: string
  readonly operatorName?: string
  readonly rolloutId?: string
  readonly moveId?: string
}
