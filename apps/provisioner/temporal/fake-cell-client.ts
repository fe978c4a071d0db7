import { randomUUID } from 'node:crypto'
import {
  type CellClient,
  CellError,
  type CellErrorKind,
  type CellNamespace,
  type CellNamespaceChange,
  type CellNexusEndpoint,
  type NewCellNamespace,
} from './cell-client.ts'
import type { CellReplication } from './cell-replication.ts'
import { FakeCellReplication } from './fake-cell-replication.ts'

type Method = Exclude<keyof CellClient, 'close' | 'replication'>

/** A cell in memory, for tests of whatever uses one. Goes wrong on demand, before or after the effect. */
export class FakeCellClient implements CellClient {
  /** Every call in its order, for tests that count. */
  readonly calls: { readonly method: Method; readonly name: string }[] = []
  /** Tests that move namespaces set it. */
  replication: CellReplication = new FakeCellReplication('cell', [])
  readonly #namespaces = new Map<string, CellNamespace>()
  readonly #endpoints = new Map<string, CellNexusEndpoint>()
  readonly #failures: { readonly method: Method; readonly kind: CellErrorKind; readonly after: boolean }[] = []

  /** The next call of `method` fails without having done anything. */
  failNext(method: Method, kind: CellErrorKind): void {
    this.#failures.push({ method, kind, after: false })
  }

  /** The next call of `method` does its work, and then its answer is lost. */
  loseNextAnswer(method: Method): void {
    this.#failures.push({ method, kind: 'unavailable', after: true })
  }

  async health(): Promise<void> {
    this.#call('health', '', () => undefined)
  }

  /** What its servers report. */
  serverVersion = '1.32.2'

  async probe(): Promise<{ readonly serverVersion: string }> {
    return this.#call('probe', '', () => ({ serverVersion: this.serverVersion }))
  }

  async registerNamespace(namespace: NewCellNamespace): Promise<void> {
    this.#call('registerNamespace', namespace.name, () => {
      if (this.#namespaces.has(namespace.name)) throw new CellError('exists', `${namespace.name} exists`)
      this.#namespaces.set(namespace.name, { id: randomUUID(), state: 'registered', aliases: {}, ...namespace })
    })
  }

  async describeNamespace(name: string): Promise<CellNamespace> {
    return this.#call('describeNamespace', name, () => this.#known(name))
  }

  async updateNamespace(name: string, change: CellNamespaceChange): Promise<void> {
    this.#call('updateNamespace', name, () => {
      const known = this.#known(name)
      const aliases = withAliases(known.aliases, change.aliases ?? {})
      this.#namespaces.set(name, { ...known, ...change, aliases, data: { ...known.data, ...change.data } })
    })
  }

  async deleteNamespace(name: string): Promise<void> {
    this.#call('deleteNamespace', name, () => {
      this.#known(name)
      this.#namespaces.delete(name)
    })
  }

  async listNamespaces(): Promise<readonly CellNamespace[]> {
    return this.#call('listNamespaces', '', () => [...this.#namespaces.values()])
  }

  async registerNexusEndpoint({ name, url }: { readonly name: string; readonly url: string }): Promise<void> {
    this.#call('registerNexusEndpoint', name, () => {
      if (this.#endpoints.has(name)) throw new CellError('exists', `${name} exists`)
      this.#endpoints.set(name, { id: randomUUID(), version: 1, name, url })
    })
  }

  async deleteNexusEndpoint(name: string): Promise<void> {
    this.#call('deleteNexusEndpoint', name, () => {
      if (!this.#endpoints.delete(name)) throw new CellError('not_found', `there is no endpoint ${name}`)
    })
  }

  async listNexusEndpoints(): Promise<readonly CellNexusEndpoint[]> {
    return this.#call('listNexusEndpoints', '', () => [...this.#endpoints.values()])
  }

  close(): void {
    // Nothing is open.
  }

  #known(name: string): CellNamespace {
    const known = this.#namespaces.get(name)
    if (known === undefined) throw new CellError('not_found', `there is no namespace ${name}`)
    return known
  }

  #call<Result>(method: Method, name: string, work: () => Result): Result {
    this.calls.push({ method, name })
    const index = this.#failures.findIndex((failure) => failure.method === method)
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1)
    if (failure?.after === false) throw new CellError(failure.kind, `${method} fails on demand`)
    const result = work()
    if (failure !== undefined) throw new CellError(failure.kind, `the answer of ${method} is lost on demand`)
    return result
  }
}

/** As the server does it: no column gets a second name, and no name a second column. */
function withAliases(
  present: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const aliases = { ...present }
  for (const [column, name] of Object.entries(change)) {
    if (name === '') delete aliases[column]
    else if (Object.values(present).includes(name)) continue
    else if (present[column] !== undefined) throw new CellError('invalid', `the column ${column} has a name`)
    else aliases[column] = name
  }
  return aliases
}
