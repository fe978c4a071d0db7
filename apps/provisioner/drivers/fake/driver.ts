import type { NodeManifest } from '#libs/domain/nodes'
import { DriverError, type DriverErrorKind, type NodeDriver, type NodeInstance } from '../contract.ts'

type Method = 'reserveAddress' | 'create' | 'get' | 'list' | 'delete'

interface FakeNode {
  manifest: NodeManifest
  state: NodeInstance['state']
  detail: string
  readonly createdAt: Date
  /** Reads that still do not see it, and reads after which it is ready. */
  hiddenReads: number
  startingReads: number
}

export interface FakeDriverOptions {
  /** Nodes that fit; `create` answers `no_capacity` beyond. */
  readonly capacity?: number
  /** How many times `get` or `list` see a new node as starting before it is ready. */
  readonly startingReads?: number
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
  readonly #addresses = new Map<string, string>()
  readonly #failures: { readonly method: Method; readonly kind: DriverErrorKind; readonly after: boolean }[] = []
  #capacity: number
  #hiddenReads = 0

  constructor(options: FakeDriverOptions = {}) {
    this.#options = options
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

  /** Nodes created from now on are not seen by the first so many reads, as in an eventually consistent cloud. */
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

  /** What the node was told last. */
  manifest(nodeId: string): NodeManifest | undefined {
    return this.#nodes.get(nodeId)?.manifest
  }

  async reserveAddress(nodeId: string): Promise<string> {
    return this.#call('reserveAddress', nodeId, () => {
      const known = this.#addresses.get(nodeId)
      if (known !== undefined) return known
      const taken = new Set(this.#addresses.values())
      const next = addresses().find((address) => !taken.has(address))
      if (next === undefined) throw new DriverError('no_capacity', 'every address is taken')
      this.#addresses.set(nodeId, next)
      return next
    })
  }

  async create(manifest: NodeManifest): Promise<NodeInstance> {
    return this.#call('create', manifest.nodeId, () => {
      const known = this.#nodes.get(manifest.nodeId)
      if (known !== undefined) {
        if (known.manifest.generation < manifest.generation) known.manifest = manifest
        if (known.state === 'stopped') known.state = 'ready'
        return instance(known)
      }
      this.#addresses.set(manifest.nodeId, manifest.address)
      if (this.#nodes.size >= this.#capacity) throw new DriverError('no_capacity', 'no machine is left')
      const node: FakeNode = {
        manifest,
        state: 'starting',
        detail: 'it starts',
        createdAt: new Date(),
        hiddenReads: this.#hiddenReads,
        startingReads: this.#options.startingReads ?? 1,
      }
      this.#nodes.set(manifest.nodeId, node)
      return instance(node)
    })
  }

  async get(nodeId: string): Promise<NodeInstance> {
    return this.#call('get', nodeId, () => {
      const node = this.#nodes.get(nodeId)
      if (node === undefined || !seen(node)) throw new DriverError('not_found', `there is no node ${nodeId}`)
      return instance(node)
    })
  }

  async list(): Promise<readonly NodeInstance[]> {
    return this.#call('list', undefined, () => [...this.#nodes.values()].filter(seen).map(instance))
  }

  async delete(nodeId: string): Promise<void> {
    return this.#call('delete', nodeId, () => {
      this.#nodes.delete(nodeId)
      this.#addresses.delete(nodeId)
    })
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

function addresses(): string[] {
  return Array.from({ length: 65_024 }, (_, index) => `127.63.${Math.floor(index / 254)}.${1 + (index % 254)}`)
}

/** Counts the read, too: that is what moves a new node on. */
function seen(node: FakeNode): boolean {
  if (node.hiddenReads > 0) {
    node.hiddenReads -= 1
    return false
  }
  if (node.state !== 'starting') return true
  if (node.startingReads > 0) node.startingReads -= 1
  else Object.assign(node, { state: 'ready', detail: '' })
  return true
}

function instance(node: FakeNode): NodeInstance {
  const { nodeId, cellId, address, generation } = node.manifest
  return { nodeId, cellId, address, generation, state: node.state, detail: node.detail, createdAt: node.createdAt }
}
