import type { SeenOnCell, WorkState } from '#libs/domain/moves'
import { CellError } from './cell-client.ts'
import type { CellReplication } from './cell-replication.ts'

/** Cells that can replicate with each other, in memory. Each address is the cluster's own name. */
export class FakeCellReplication implements CellReplication {
  readonly #name: string
  readonly #all: FakeCellReplication[]
  readonly #remotes = new Set<string>()
  readonly #work = new Map<string, WorkState>()
  readonly namespaces = new Map<string, { clusters: readonly string[]; active: string }>()

  /** @param all every cell of one world, which this one joins */
  constructor(name: string, all: FakeCellReplication[]) {
    this.#name = name
    this.#all = all
    all.push(this)
  }

  async see(namespace: string): Promise<SeenOnCell> {
    const seen = this.namespaces.get(namespace)
    return seen === undefined ? { kind: 'absent' } : { kind: 'present', ...seen }
  }

  async remotes(): Promise<readonly { readonly name: string; readonly address: string }[]> {
    return [...this.#remotes].map((name) => ({ name, address: name }))
  }

  async addRemote(address: string): Promise<void> {
    this.#remotes.add(address)
  }

  async removeRemote(name: string): Promise<void> {
    this.#remotes.delete(name)
  }

  async promote(): Promise<void> {
    // Nothing else tells the two kinds apart.
  }

  async setClusters(namespace: string, clusters: readonly string[]): Promise<void> {
    const stranger = clusters.find((cluster) => cluster !== this.#name && !this.#remotes.has(cluster))
    if (stranger !== undefined) throw new CellError('invalid', `${this.#name} does not know ${stranger}`)
    const before = this.#known(namespace)
    for (const cell of this.#all) {
      if (![...before.clusters, ...clusters].includes(cell.#name)) continue
      cell.namespaces.set(namespace, { ...before, clusters })
    }
  }

  async startCopy(id: string): Promise<void> {
    this.#work.set(id, 'completed')
  }

  async startHandOver(id: string, namespace: string, active: string): Promise<void> {
    const before = this.#known(namespace)
    for (const cell of this.#all) {
      if (before.clusters.includes(cell.#name)) cell.namespaces.set(namespace, { ...before, active })
    }
    this.#work.set(id, 'completed')
  }

  async workState(id: string): Promise<WorkState> {
    return this.#work.get(id) ?? 'none'
  }

  #known(namespace: string): { clusters: readonly string[]; active: string } {
    const known = this.namespaces.get(namespace)
    if (known === undefined) throw new CellError('not_found', `there is no namespace ${namespace}`)
    return known
  }
}
