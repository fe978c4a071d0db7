import { type Clock, systemClock } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import {
  DriverError,
  type DriverErrorKind,
  type DriverResource,
  type NodeDriver,
  type NodeExposure,
  type NodeInstance,
  type NodeLaunch,
} from '../contract.ts'

type Method =
  | 'launch'
  | 'configure'
  | 'get'
  | 'list'
  | 'delete'
  | 'expose'
  | 'releaseAddresses'
  | 'listResources'
  | 'deleteResource'

interface FakeNode {
  readonly launch: NodeLaunch
  machineId: string
  readonly address: string
  /** Undefined until it is configured. */
  manifest: NodeManifest | undefined
  state: NodeInstance['state']
  detail: string
  readonly createdAt: Date
  /** Reads that still do not see it, and reads, once it is configured, after which it is ready. */
  hiddenReads: number
  startingReads: number
}

export interface FakeDriverOptions {
  /** Nodes that fit; `launch` answers `no_capacity` beyond. */
  readonly capacity?: number
  /** How many times `get` or `list` see a new node as starting, once it is configured, before it is ready. */
  readonly startingReads?: number
  /** What the ages of machines and addresses are counted from. */
  readonly clock?: Clock
}

/**
 * Nodes in memory, for tests of whatever uses a driver. It keeps the contract (the same suite runs over it), and goes
 * wrong on demand, in the ways that real drivers do.
 */
export class FakeDriver implements NodeDriver {
  readonly name = 'fake'
  /** Every call in its order, for tests that count. */
  readonly calls: { readonly method: Method; readonly nodeId: string | undefined }[] = []
  readonly #options: FakeDriverOptions
  readonly #nodes = new Map<string, FakeNode>()
  readonly #exposed = new Map<string, { resource: DriverResource; address: string; nodeId: string }>()
  readonly #spares = new Map<string, NodeInstance>()
  readonly #volumes = new Map<string, DriverResource>()
  readonly #clock: Clock
  #launches = 0
  #exposures = 0
  readonly #failures: { readonly method: Method; readonly kind: DriverErrorKind; readonly after: boolean }[] = []
  #capacity: number
  #hiddenReads = 0

  constructor(options: FakeDriverOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#capacity = options.capacity ?? Number.POSITIVE_INFINITY
  }

  /** The next call of `method` fails without having done anything. */
  failNext(method: Method, kind: DriverErrorKind): void {
    this.#failures.push({ method, kind, after: false })
  }

  /** The next call of `method` does its work, and then its answer is lost. */
  loseNextAnswer(method: Method): void {
    this.#failures.push({ method, kind: 'unknown', after: true })
  }

  /** Nodes launched from now on are not seen by the first so many reads, as in an eventually consistent cloud. */
  hideNew(reads: number): void {
    this.#hiddenReads = reads
  }

  setCapacity(capacity: number): void {
    this.#capacity = capacity
  }

  /** Makes a node be in a state: `failed`, `stopped`. */
  setState(nodeId: string, state: NodeInstance['state'], detail = ''): void {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw new Error(`there is no node ${nodeId}`)
    Object.assign(node, { state, detail, startingReads: 0 })
  }

  /** Makes a node be gone, as when a machine dies. */
  lose(nodeId: string): void {
    this.#nodes.delete(nodeId)
  }

  /** Makes one more machine of a node, as a launch that was done twice does. */
  duplicate(nodeId: string, machineId: string): void {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw new Error(`there is no node ${nodeId}`)
    this.#spares.set(machineId, { ...this.#instance(node), machineId, createdAt: this.#clock.now() })
  }

  /** Makes a volume be there that no machine has. */
  leaveVolume(volume: Omit<DriverResource, 'kind'>): void {
    this.#volumes.set(volume.id, { ...volume, kind: 'volume' })
  }

  /** What the node was told last. */
  manifest(nodeId: string): NodeManifest | undefined {
    return this.#nodes.get(nodeId)?.manifest
  }

  async launch(launch: NodeLaunch): Promise<NodeInstance> {
    return this.#call('launch', launch.nodeId, () => {
      const known = this.#nodes.get(launch.nodeId)
      if (known !== undefined) return this.#instance(known)
      if (this.#nodes.size >= this.#capacity) throw new DriverError('no_capacity', 'no machine is left')
      const node: FakeNode = {
        launch,
        machineId: launch.nodeId,
        address: this.#nextAddress(),
        manifest: undefined,
        state: 'starting',
        detail: 'it waits for its manifest',
        createdAt: this.#clock.now(),
        hiddenReads: this.#hiddenReads,
        startingReads: this.#options.startingReads ?? 1,
      }
      this.#nodes.set(launch.nodeId, node)
      return this.#instance(node)
    })
  }

  async configure(manifest: NodeManifest): Promise<void> {
    return this.#call('configure', manifest.nodeId, () => {
      const known = this.#nodes.get(manifest.nodeId)
      if (known === undefined) throw new DriverError('not_found', `there is no node ${manifest.nodeId}`)
      if (known.address !== manifest.address) throw new DriverError('denied', `the node's address is ${known.address}`)
      if ((known.manifest?.generation ?? -1) < manifest.generation) known.manifest = manifest
      if (known.state === 'stopped') known.state = 'ready'
    })
  }

  async get(nodeId: string): Promise<NodeInstance> {
    return this.#call('get', nodeId, () => {
      const node = this.#nodes.get(nodeId)
      if (node === undefined || !seen(node)) throw new DriverError('not_found', `there is no node ${nodeId}`)
      return this.#instance(node)
    })
  }

  async list(): Promise<readonly NodeInstance[]> {
    return this.#call('list', undefined, () => [
      ...[...this.#nodes.values()].filter(seen).map((node) => this.#instance(node)),
      ...this.#spares.values(),
    ])
  }

  async delete(nodeId: string): Promise<void> {
    return this.#call('delete', nodeId, () => {
      this.#nodes.delete(nodeId)
      for (const [id, spare] of this.#spares) if (spare.nodeId === nodeId) this.#spares.delete(id)
    })
  }

  async expose({ nodeId, cellId, slotId }: NodeExposure): Promise<string> {
    return this.#call('expose', nodeId, () => {
      if (!this.#nodes.has(nodeId)) throw new DriverError('not_found', `there is no node ${nodeId}`)
      const id = `${cellId}/${slotId}`
      const known = this.#exposed.get(id)
      if (known !== undefined) {
        known.nodeId = nodeId
        return known.address
      }
      const resource: DriverResource = { kind: 'address', id, cellId, owner: slotId, createdAt: this.#clock.now() }
      const address = `198.18.${Math.floor(this.#exposures / 250)}.${1 + (this.#exposures % 250)}`
      this.#exposures += 1
      this.#exposed.set(id, { resource, address, nodeId })
      return address
    })
  }

  async releaseAddresses(cellId: string, kept: readonly string[]): Promise<void> {
    return this.#call('releaseAddresses', undefined, () => {
      for (const [id, { resource }] of this.#exposed) {
        if (resource.cellId === cellId && !kept.includes(resource.owner)) this.#exposed.delete(id)
      }
    })
  }

  async listResources(): Promise<readonly DriverResource[]> {
    return this.#call('listResources', undefined, () => [
      ...[...this.#exposed.values()].map(({ resource }) => resource),
      ...this.#volumes.values(),
    ])
  }

  async deleteResource({ kind, id }: DriverResource): Promise<void> {
    return this.#call('deleteResource', undefined, () => {
      if (kind === 'machine') this.#deleteMachine(id)
      else if (kind === 'volume') this.#volumes.delete(id)
      else this.#exposed.delete(id)
    })
  }

  /** Of a node with two, the other one is the node's from then on. */
  #deleteMachine(machineId: string): void {
    if (this.#spares.delete(machineId)) return
    const node = [...this.#nodes.values()].find((candidate) => candidate.machineId === machineId)
    if (node === undefined) return
    const other = [...this.#spares.values()].find((spare) => spare.nodeId === node.launch.nodeId)
    this.#nodes.delete(node.launch.nodeId)
    if (other === undefined) return
    this.#spares.delete(other.machineId)
    this.#nodes.set(node.launch.nodeId, { ...node, machineId: other.machineId, createdAt: other.createdAt })
  }

  #instance({ launch, machineId, address, manifest, state, detail, createdAt }: FakeNode): NodeInstance {
    const { nodeId, cellId, slotId } = launch
    const generation = manifest?.generation ?? -1
    const exposed = this.#exposed.get(`${cellId}/${slotId}`)
    return {
      nodeId,
      cellId,
      machineId,
      address,
      ...(exposed?.nodeId === nodeId ? { publicAddress: exposed.address } : {}),
      generation,
      state,
      detail,
      createdAt,
    }
  }

  /** Which node the public address of a slot leads to. */
  exposedNode(cellId: string, slotId: string): string | undefined {
    return this.#exposed.get(`${cellId}/${slotId}`)?.nodeId
  }

  #nextAddress(): string {
    const index = this.#launches
    this.#launches += 1
    return `127.${60 + Math.floor(index / 65_024)}.${Math.floor((index % 65_024) / 254)}.${1 + (index % 254)}`
  }

  #call<Result>(method: Method, nodeId: string | undefined, work: () => Result): Result {
    this.calls.push({ method, nodeId })
    const index = this.#failures.findIndex((failure) => failure.method === method)
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1)
    if (failure?.after === false) throw new DriverError(failure.kind, `${method} fails on demand`)
    const result = work()
    if (failure !== undefined) throw new DriverError(failure.kind, `the answer of ${method} is lost on demand`)
    return result
  }
}

/** Counts the read, too: that is what moves a new node on. */
function seen(node: FakeNode): boolean {
  if (node.hiddenReads > 0) {
    node.hiddenReads -= 1
    return false
  }
  if (node.state !== 'starting' || node.manifest === undefined) return true
  if (node.startingReads > 0) node.startingReads -= 1
  else Object.assign(node, { state: 'ready', detail: '' })
  return true
}
