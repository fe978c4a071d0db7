import type { NodeManifest } from '#libs/domain/nodes'

/**
 * Where nodes run. Every method is idempotent, and safe to call again after a crash at any point of the first call.
 * One contract suite (`driver.contract.test.ts`) runs over every driver: what one promises, all keep.
 */
export interface NodeDriver {
  readonly name: 'local' | 'ec2' | 'fake'
  /**
   * An address that no other node of this driver has, reserved for `nodeId`: the same id gets the same address again.
   * The manifest is rendered with it before `create`.
   */
  reserveAddress(nodeId: string): Promise<string>
  /** Makes the node be there and run the manifest; a second call adopts what the first made. */
  create(manifest: NodeManifest): Promise<NodeInstance>
  /** @throws DriverError of kind `not_found` when there is surely nothing. */
  get(nodeId: string): Promise<NodeInstance>
  /** Every node that this driver runs, owned by a row or not: collectors compare it with the rows. */
  list(): Promise<readonly NodeInstance[]>
  /** Stops the node and forgets it; nothing is left behind. No error when there is nothing. */
  delete(nodeId: string): Promise<void>
}

/** What a driver saw. The inner model: SDK types stop at the driver. */
export interface NodeInstance {
  readonly nodeId: string
  readonly cellId: string
  readonly address: string
  /**
   * Of the manifest that the node runs: differs from the row's after a change of intent, which is drift. −1 when nobody
   * keeps to any manifest there: `create` mends that, and loses nothing that still runs.
   */
  readonly generation: number
  readonly state: 'starting' | 'ready' | 'failed' | 'stopped'
  /** For a person: which process is not ready and where its log lies. */
  readonly detail: string
  readonly createdAt: Date
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
