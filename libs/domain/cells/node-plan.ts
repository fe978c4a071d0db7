import { assertNever } from '#libs/base'

export interface DesiredNode {
  readonly nodeId: string
  /** Of the manifest that the node is to run. */
  readonly generation: number
  readonly deleted: boolean
  /** A driver has seen its machine before: when it is gone, the node is dead, since a node is one machine for ever. */
  readonly seen: boolean
  /** A driver was asked for it, and has not been told since that it goes: there may be a machine that is not seen yet. */
  readonly launched: boolean
  /** It is an edge, and the public address of its slot does not lead to it yet. */
  readonly hidden: boolean
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
  /** The driver's `expose`: makes the public address of its slot lead to it. */
  | { readonly kind: 'expose-node'; readonly nodeId: string }
  /** Look again later. */
  | { readonly kind: 'await-node'; readonly nodeId: string; readonly detail: string }
  | { readonly kind: 'delete-node'; readonly nodeId: string }
  /** It will never work: its cell deletes it and puts another one into its slot. */
  | { readonly kind: 'fail-node'; readonly nodeId: string; readonly reason: string }
  | { readonly kind: 'done' }

const done: NodeStep = { kind: 'done' }

/** Every step that is left, in order. Execute the first, record what was seen, and plan again. */
export function planNode(desired: DesiredNode, observed: ObservedNode): NodeStep[] {
  const { nodeId } = desired
  if (desired.deleted) {
    const isGone = observed.kind === 'absent' && !desired.launched
    return isGone ? [done] : [{ kind: 'delete-node', nodeId }, done]
  }
  if (observed.kind === 'present') return planMachine(desired, observed)
  if (!desired.seen) return [{ kind: 'launch-node', nodeId }, wait(nodeId, 'the node was just made'), done]
  return observed.kind === 'absent' ? fail(nodeId, 'its machine is gone') : [wait(nodeId, 'look again'), done]
}

function planMachine(
  { nodeId, generation, hidden }: DesiredNode,
  { address, state, detail, generation: present }: ObservedNode & { readonly kind: 'present' },
): NodeStep[] {
  if (state === 'failed' || state === 'ending') return fail(nodeId, detail === '' ? `its machine is ${state}` : detail)
  if (address === undefined) return [wait(nodeId, 'the machine has no address yet'), done]
  // A node that runs a later manifest than ours is the work of a later holder of the lease.
  if (present < generation) {
    const configure: NodeStep = { kind: 'configure-node', nodeId, generation, address }
    return [configure, wait(nodeId, 'the node has an older manifest'), done]
  }
  switch (state) {
    case 'ready':
      return hidden ? [{ kind: 'expose-node', nodeId }, done] : [done]
    case 'starting':
      return [wait(nodeId, detail), done]
    case 'stopped':
      return fail(nodeId, detail === '' ? 'its machine was stopped' : detail)
    default:
      return assertNever(state)
  }
}

function wait(nodeId: string, detail: string): NodeStep {
  return { kind: 'await-node', nodeId, detail }
}

function fail(nodeId: string, reason: string): NodeStep[] {
  return [{ kind: 'fail-node', nodeId, reason }, done]
}
