import type { NodeManifest, NodeRole, NodeTemplate } from '#libs/domain/nodes'

/**
 * Where nodes run. Every method is idempotent, and safe to call again after a crash at any point of the first call.
 * One contract suite (`driver.contract.test.ts`) runs over every driver: what one promises, all keep.
 *
 * A node is `launch`ed, which makes the machine be there and gives it an address, then `configure`d with the manifest
 * that is rendered with that address. A node id means one machine for ever: what comes in its place has another id.
 */
export interface NodeDriver {
  readonly name: 'local' | 'ec2' | 'fake'
  /** Of machines that come up by themselves and have to join. Absent where the driver itself starts the node. */
  readonly join?: MachineJoin
  /**
   * Makes the machine be there: a second call finds what the first made, also when the first one's answer was lost.
   * What it returns may have no address yet; `get` has it later.
   * @throws DriverError of kind `no_capacity` when no zone and no type that the launch allows has room, `throttled` when
   * the provider wants to be asked later, `denied` when it will never do that.
   */
  launch(launch: NodeLaunch): Promise<NodeInstance>
  /** Makes the node run the manifest; one of an earlier generation than the node has changes nothing. */
  configure(manifest: NodeManifest): Promise<void>
  /** @throws DriverError of kind `not_found` when there is surely nothing. */
  get(nodeId: string): Promise<NodeInstance>
  /** Every node that this driver runs, owned by a row or not: collectors compare it with the rows. */
  list(): Promise<readonly NodeInstance[]>
  /**
   * Stops the node, and forgets it once it has ended; nothing is left behind but the slot's public address. No error when
   * there is nothing. A node that is still ending is still seen by `get`: call again until it says `not_found`.
   */
  delete(nodeId: string): Promise<void>
  /**
   * Makes the public address of the node's slot lead to this node, and returns it. It is the slot's, not the node's: the next node of
   * the slot takes it over, and DNS stays as it is. Where nodes are reached at their own address, that one.
   * @throws DriverError of kind `not_found` when there is no such node
   */
  expose(node: NodeExposure): Promise<string>
  /** Gives back the public addresses of a cell's slots that are not among `kept`. No error when there is nothing. */
  releaseAddresses(cellId: string, kept: readonly string[]): Promise<void>
  /** What the driver made besides nodes, owned by a row or not: for collectors. Nodes' own volumes go with them. */
  listResources(): Promise<readonly DriverResource[]>
  /** Deletes one of them; a machine, whatever else its node has. No error when it is gone. */
  deleteResource(resource: DriverResource): Promise<void>
}

/** Where machines find us, as they reach us. */
export interface MachineJoin {
  readonly joinUrls: readonly string[]
  readonly discoveryUrl: string
}

/** What a machine is made from. The same node id always comes with the same launch. */
export interface NodeLaunch {
  readonly nodeId: string
  readonly cellId: string
  readonly role: NodeRole
  /** Of the slot that it fills. */
  readonly slotId: string
  /** Counted round over the region's zones, which one it is to be in; another if there is no room. */
  readonly zone: number
  readonly template: NodeTemplate
  /** What a machine that comes up by itself is started with; the same for the same node. Empty where the driver itself starts the node. */
  readonly userData: string
}

export interface NodeExposure {
  readonly nodeId: string
  readonly cellId: string
  readonly slotId: string
}

/** What a driver saw. The inner model: SDK types stop at the driver. */
export interface NodeInstance {
  readonly nodeId: string
  readonly cellId: string
  /** What the provider calls the machine: `i-0123…`; the node's id where there is no other name. */
  readonly machineId: string
  /** Absent until the provider has given it one. */
  readonly address?: string
  /** The public address that leads to it now: of its slot, or its own where nodes are reached at that. */
  readonly publicAddress?: string
  /** Where the provider has zones and types. */
  readonly zone?: string
  readonly instanceType?: string
  /**
   * Of the manifest that the node runs: differs from the row's after a change of intent, which is drift. −1 when nobody
   * keeps to any manifest there: `configure` mends that, and loses nothing that still runs.
   */
  readonly generation: number
  /** `failed`: it will never be ready, or never again; replace it. `ending`: it was deleted and has not ended yet. */
  readonly state: 'starting' | 'ready' | 'failed' | 'stopped' | 'ending'
  /** For a person: which process is not ready and where its log lies. */
  readonly detail: string
  readonly createdAt: Date
  /** What the provider has announced: replace the node before that. */
  readonly notice?: MachineNotice
}

export interface MachineNotice {
  readonly kind: 'interruption' | 'maintenance'
  /** When the provider takes the machine. */
  readonly at: Date
  /** The provider's words: `instance-retirement`. */
  readonly detail: string
}

/** A public address or a volume. Or one more machine of a node that has its own: `list` shows both, `listResources` neither. */
export interface DriverResource {
  readonly kind: 'address' | 'volume' | 'machine'
  /** The provider's name: `eipalloc-…`, `vol-…`, `i-…`. */
  readonly id: string
  readonly cellId: string
  /** Of an address: its slot. Of a volume or a machine: the node that it was made for. */
  readonly owner: string
  /** Absent where the provider does not say: then its age counts from when it was first seen. */
  readonly createdAt?: Date
}

export type DriverErrorKind = 'not_found' | 'exists' | 'no_capacity' | 'not_ready' | 'throttled' | 'denied' | 'unknown'

/** Never reaches a caller: a reconciler turns it into a delay, a condition, or an operation's failure reason. */
export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly kind: DriverErrorKind

  constructor(kind: DriverErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
