import { assertNever } from '#libs/base'

export interface DesiredNode {
  readonly nodeId: string
  /** Of the manifest that the node is to run. */
  readonly generation: number
  readonly deleted: boolean
}

/** What the driver was last seen to say. `unknown` is written before each call, and stays when its answer is lost. */
export type ObservedNode =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'present'
      readonly state: 'starting' | 'ready' | 'failed' | 'stopped'
      readonly generation: number
      /** For a person. */
      readonly detail: string
    }

export type NodeStep =
  /** The driver's `create`: makes it, adopts it, or brings it to this generation's manifest. */
  | { readonly kind: 'create-node'; readonly nodeId: string; readonly generation: number }
  /** Look again later. */
  | { readonly kind: 'await-node'; readonly nodeId: string; readonly detail: string }
  | { readonly kind: 'delete-node'; readonly nodeId: string }
  | { readonly kind: 'done' }

/** Every step that is left, in order. Execute the first, record what was seen, and plan again. */
export function planNode(desired: DesiredNode, observed: ObservedNode): NodeStep[] {
  const { nodeId, generation } = desired
  const done: NodeStep = { kind: 'done' }
  const create: NodeStep = { kind: 'create-node', nodeId, generation }
  const remove: NodeStep = { kind: 'delete-node', nodeId }
  const wait = (detail: string): NodeStep => ({ kind: 'await-node', nodeId, detail })
  if (desired.deleted) return observed.kind === 'absent' ? [done] : [remove, done]
  switch (observed.kind) {
    case 'absent':
    case 'unknown':
      return [create, wait('the node was just made'), done]
    case 'present':
      // A node that runs a later manifest than ours is the work of a later holder of the lease.
      if (observed.generation < generation) return [create, wait('the node has an older manifest'), done]
      switch (observed.state) {
        case 'ready':
          return [done]
        case 'starting':
          return [wait(observed.detail), done]
        case 'failed':
        case 'stopped':
          return [remove, create, wait(observed.detail), done]
        default:
          return assertNever(observed.state)
      }
    default:
      return assertNever(observed)
  }
}
