import type { NodeManifest, NodeStatus } from '#libs/domain/nodes'
import type { MachineNotice } from '../contract.ts'

/**
 * How a manifest reaches a machine on which nobody can write a file, and how the machine's own word comes back: its agent
 * fetches the one and sends the other.
 */
export interface NodeMailbox {
  /** Keeps the manifest for the node to fetch; one of an earlier generation than the one that is there changes nothing. */
  put(manifest: NodeManifest): Promise<void>
  /** What each of these nodes said of itself last, by node id; a node that never spoke is absent. */
  read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, NodeReport>>
  /** Nothing is left of the node. No error when there is nothing. */
  forget(nodeId: string): Promise<void>
}

export interface NodeReport {
  readonly state: NodeStatus['state']
  readonly generation: number
  readonly detail: string
  /** When it was received. A node that says nothing for long is not ready, whatever it said. */
  readonly at: Date
  /** What the machine was told about itself: an interruption is announced to the machine alone. */
  readonly notice?: MachineNotice
}
