import type { DesiredNode, NodeStep, ObservedNode } from './node-plan.ts'
import { planNode } from './node-plan.ts'

export interface DesiredCell {
  readonly id: string
  readonly deleted: boolean
  /** In a fixed order: the first one is the one that starts alone. */
  readonly nodes: readonly DesiredNode[]
  /** Of the Temporal schema that the server version wants. */
  readonly schemaVersion: string
}

export interface ObservedCell {
  /** Both databases and the role that owns them. */
  readonly databases: 'absent' | 'unknown' | 'present'
  /** Undefined while it is unknown, or while there is none. */
  readonly schemaVersion?: string
  /** By node id; what is missing is absent. */
  readonly nodes: ReadonlyMap<string, ObservedNode>
  /** Whether the cell's own API answered, with the right version and over its own certificates. */
  readonly answering: boolean
}

export type CellStep =
  | { readonly kind: 'create-databases'; readonly cellId: string }
  | { readonly kind: 'apply-schema'; readonly cellId: string; readonly schemaVersion: string }
  | Exclude<NodeStep, { kind: 'done' }>
  /** Ask the cell's own API. */
  | { readonly kind: 'confirm-answering'; readonly cellId: string }
  | { readonly kind: 'drop-databases'; readonly cellId: string }
  | { readonly kind: 'done' }

/**
 * Every step that is left, in order: databases, schema, the first node alone, the others, the question whether it
 * works. The first node starts alone since several at once race on the cluster's metadata row, and the loser exits.
 * Deletion is the same backwards. Node steps may be executed side by side from the second node on.
 */
export function planCell(desired: DesiredCell, observed: ObservedCell): CellStep[] {
  const nodes = desired.nodes.map((node) =>
    planNode(
      { ...node, deleted: node.deleted || desired.deleted },
      observed.nodes.get(node.nodeId) ?? { kind: 'absent' },
    ).filter((step) => step.kind !== 'done'),
  )
  if (desired.deleted) {
    const drop: CellStep[] = observed.databases === 'absent' ? [] : [{ kind: 'drop-databases', cellId: desired.id }]
    return [...nodes.flat(), ...drop, { kind: 'done' }]
  }
  const steps: CellStep[] = []
  if (observed.databases !== 'present') steps.push({ kind: 'create-databases', cellId: desired.id })
  if (observed.databases !== 'present' || observed.schemaVersion !== desired.schemaVersion) {
    steps.push({ kind: 'apply-schema', cellId: desired.id, schemaVersion: desired.schemaVersion })
  }
  steps.push(...nodes.flat())
  if (steps.length > 0 || !observed.answering) steps.push({ kind: 'confirm-answering', cellId: desired.id })
  return [...steps, { kind: 'done' }]
}

/**
 * The steps of a plan that may be executed now, side by side: those of all nodes once the cell was bootstrapped, else
 * the first step alone.
 */
export function executableNow(steps: readonly CellStep[], bootstrapped: boolean): readonly CellStep[] {
  const [first] = steps
  if (first === undefined || !bootstrapped || !('nodeId' in first)) return steps.slice(0, 1)
  const firstOfEach = new Map<string, CellStep>()
  for (const step of steps) {
    if ('nodeId' in step && !firstOfEach.has(step.nodeId)) firstOfEach.set(step.nodeId, step)
  }
  return [...firstOfEach.values()]
}
