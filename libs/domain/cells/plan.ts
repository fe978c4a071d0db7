import { type CellNodes, isServing, isWhole, type NodeAction, planNodes } from './slot-plan.ts'

export interface DesiredCell {
  readonly id: string
  readonly deleted: boolean
  /** Of the Temporal schema that the server version wants. */
  readonly schemaVersion: string
}

export interface ObservedCell {
  /** Both databases and the role that owns them. */
  readonly databases: 'absent' | 'unknown' | 'present'
  /** Undefined while it is unknown, or while there is none. */
  readonly schemaVersion?: string
  readonly nodes: CellNodes
  /** Whether the cell's own API answered, with the right version and over its own certificates. */
  readonly answering: boolean
}

export type CellStep =
  | { readonly kind: 'create-databases'; readonly cellId: string }
  | { readonly kind: 'apply-schema'; readonly cellId: string; readonly schemaVersion: string }
  /** Change the rows of its nodes: one transaction, no outward call. */
  | { readonly kind: 'change-nodes'; readonly cellId: string; readonly actions: readonly NodeAction[] }
  /** Its nodes' own reconcilers are at work. */
  | { readonly kind: 'await-nodes'; readonly cellId: string }
  /** Ask the cell's own API. */
  | { readonly kind: 'confirm-answering'; readonly cellId: string }
  | { readonly kind: 'drop-databases'; readonly cellId: string }
  | { readonly kind: 'done' }

/**
 * Every step that is left as far as it can be seen, in order: databases, schema, nodes, the question whether it works.
 * Deletion is the same backwards. Execute the first, record what was seen, and plan again.
 *
 * Nodes of a cell that works are replaced while it works: what is left to do about them keeps nobody waiting.
 */
export function planCell(desired: DesiredCell, observed: ObservedCell): CellStep[] {
  const { id: cellId } = desired
  const { nodes } = observed
  const done: CellStep = { kind: 'done' }
  const wait: CellStep = { kind: 'await-nodes', cellId }
  if (desired.deleted) {
    const actions = nodes.nodes
      .filter((node) => node.state !== 'deleting')
      .map(({ nodeId }): NodeAction => ({ kind: 'delete', nodeId, reason: 'the cell is deleted' }))
    return [
      ...(actions.length === 0 ? [] : [{ kind: 'change-nodes', cellId, actions } as const]),
      ...(nodes.nodes.length === 0 ? [] : [wait]),
      ...(observed.databases === 'absent' ? [] : [{ kind: 'drop-databases', cellId } as const]),
      done,
    ]
  }
  const steps: CellStep[] = []
  if (observed.databases !== 'present') steps.push({ kind: 'create-databases', cellId })
  if (observed.databases !== 'present' || observed.schemaVersion !== desired.schemaVersion) {
    steps.push({ kind: 'apply-schema', cellId, schemaVersion: desired.schemaVersion })
  }
  const actions = planNodes(nodes)
  if (actions.length > 0) steps.push({ kind: 'change-nodes', cellId, actions })
  const mustWait = !isServing(nodes)
  if (mustWait) steps.push(wait)
  if (mustWait || !observed.answering) steps.push({ kind: 'confirm-answering', cellId })
  if (!mustWait && !isWhole(nodes)) steps.push(wait)
  return [...steps, done]
}
