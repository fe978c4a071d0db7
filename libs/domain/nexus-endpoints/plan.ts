/** What the row asks for. */
export interface DesiredNexusEndpoint {
  readonly name: string
  readonly generation: number
  readonly deleted: boolean
}

/** What was last seen. `unknown` stands before and after a call whose answer nobody got. */
export interface ObservedNexusEndpoint {
  readonly cell:
    | { readonly kind: 'absent' }
    | { readonly kind: 'unknown' }
    /** Under this name; `sinceMs` when it was made there lately. */
    | { readonly kind: 'present'; readonly name: string; readonly sinceMs: number }
  readonly edge:
    | { readonly kind: 'absent' }
    | { readonly kind: 'unknown' }
    | { readonly kind: 'serving'; readonly generation: number }
}

export type NexusEndpointStep =
  /** The name goes from the cell, unless another tenant's endpoint has it too. */
  | { readonly kind: 'unregister'; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'serve'; readonly generation: number }
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'wait-cell-cache'; readonly ms: number }
  | { readonly kind: 'done' }

/** Milliseconds until every host of a cell knows of a new name: they wait for changes, and look again after a second. */
export const registryMs = 2_000

/**
 * The steps that are left, first things first. Routes come before the name and go before it: at no moment does a cell
 * accept calls by a name that leads nowhere because of us.
 */
export function planNexusEndpoint(
  desired: DesiredNexusEndpoint,
  { cell, edge }: ObservedNexusEndpoint,
): readonly NexusEndpointStep[] {
  const steps: NexusEndpointStep[] = []
  const renamed = cell.kind === 'present' && cell.name !== desired.name ? cell.name : undefined
  if (desired.deleted) {
    if (edge.kind !== 'absent') steps.push({ kind: 'withdraw' })
    if (cell.kind === 'present') steps.push({ kind: 'unregister', name: cell.name })
    else if (cell.kind === 'unknown') steps.push({ kind: 'unregister', name: desired.name })
    return [...steps, { kind: 'done' }]
  }
  if (edge.kind !== 'serving' || edge.generation < desired.generation) {
    steps.push({ kind: 'serve', generation: desired.generation })
  }
  if (renamed !== undefined) steps.push({ kind: 'unregister', name: renamed })
  if (cell.kind !== 'present' || renamed !== undefined) steps.push({ kind: 'register', name: desired.name })
  else if (cell.sinceMs < registryMs) steps.push({ kind: 'wait-cell-cache', ms: registryMs - cell.sinceMs })
  return [...steps, { kind: 'done' }]
}
