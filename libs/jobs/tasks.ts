/** The reconcilers' tasks. A payload names a noun: a hint to look, never what to do. */
export interface TaskPayloads {
  readonly 'reconcile-namespace': { readonly namespaceId: string }
  readonly 'reconcile-nexus-endpoint': { readonly endpointId: string }
  readonly 'reconcile-cell': { readonly cellId: string }
  readonly 'reconcile-node': { readonly nodeId: string }
  readonly 'reconcile-rollout': { readonly rolloutId: string }
}

export type TaskName = keyof TaskPayloads
