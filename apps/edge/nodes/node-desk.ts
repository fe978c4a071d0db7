import type { NodeState } from '#libs/domain/cells'
import type { NodeReport, NodeRole } from '#libs/domain/nodes'

/** What the discovery server needs to know of nodes, and what it passes on of them. */
export interface NodeDesk {
  /** What the node's row says; undefined when there never was one. */
  readonly stateOf: (nodeId: string) => Promise<NodeRowState | undefined>
  /** What the node is to be; undefined when nobody said so yet, and for a node that goes. */
  readonly readManifest: (nodeId: string) => Promise<ManifestText | undefined>
  /** Has `listener` called after a node got another manifest, with `*` when any may have. Returns how to unsubscribe. */
  readonly onManifest: (listener: (nodeId: string) => void) => () => void
  /** @returns false when there is no such node any more. */
  readonly recordReport: (nodeId: string, report: NodeReport) => Promise<boolean>
}

export interface NodeRowState {
  readonly cellId: string
  readonly state: NodeState
  readonly role: NodeRole
}

export interface ManifestText {
  readonly generation: number
  /** JSON of a `NodeManifest`: it holds passwords. */
  readonly text: string
}
