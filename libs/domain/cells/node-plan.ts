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
      readonly state: 'starting' | 'ready' | 'failed' | 'stopped' | 'ending'
      /** Absent until the driver has given it one: its manifest is rendered with it. */
      readonly address?: string
      readonly generation: number
      /** For a person. */
      readonly detail: string
    }

export type NodeStep =
  /** The driver's `launch`: makes the machine, or finds it. */
  | { readonly kind: 'launch-node'; readonly nodeId: string }
  /** The driver's `configure`: brings it to this generation's manifest. */
  | { readonly kind: 'configure-node'; readonly nodeId: string; readonly generation: number; readonly address: string }
  /** Look again later. */
  | { readonly kind: 'await-node'; readonly nodeId: string; readonly detail: string }
  | { readonly kind: 'delete-node'; readonly nodeId: string }
  | { readonly kind: 'done' }

/** Every step that is left, in order. Execute the first, record what was seen, and plan again. */
export function planNode(desired: DesiredNode, observed: ObservedNode): NodeStep[] {
  const { nodeId, generation } = desired
  const done: NodeStep = { kind: 'done' }
  const launch: NodeStep = { kind: 'launch-node', nodeId }
  const remove: NodeStep = { kind: 'delete-node', nodeId }
  const wait = (detail: string): NodeStep => ({ kind: 'await-node', nodeId, detail })
  if (desired.deleted) return observed.kind === 'absent' ? [done] : [remove, done]
  switch (observed.kind) {
    case 'absent':
    case 'unknown':
      return [launch, wait('the node was just made'), done]
    case 'present': {
      const { address } = observed
      if (observed.state === 'failed' || observed.state === 'ending')
        return [remove, launch, wait(observed.detail), done]
      if (address === undefined) return [wait('the machine has no address yet'), done]
      const configure: NodeStep = { kind: 'configure-node', nodeId, generation, address }
      // A node that runs a later manifest than ours is the work of a later holder of the lease.
      if (observed.generation < generation) return [configure, wait('the node has an older manifest'), done]
      switch (observed.state) {
        case 'ready':
          return [done]
        case 'starting':
          return [wait(observed.detail), done]
        case 'stopped':
          return [remove, launch, wait(observed.detail), done]
        default:
          return assertNever(observed.state)
      }
    }
    default:
      return assertNever(observed)
  }
}
