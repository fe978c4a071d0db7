import { randomUUID } from 'node:crypto'
import {
  type CellClient,
  CellError,
  type CellErrorKind,
  type CellNamespace,
  type CellNamespaceChange,
  type NewCellNamespace,
  type SearchAttributeType,
} from './cell-client.ts'

type Method = Exclude<keyof CellClient, 'close'>

/** A cell in memory, for tests of whatever uses one. Goes wrong on demand, before or after the effect. */
export class FakeCellClient implements CellClient {
  /** Every call in its order, for tests that count. */
  readonly calls: { readonly method: Method; readonly name: string }[] = []
  readonly #namespaces = new Map<string, CellNamespace>()
  readonly #attributes = new Map<string, Readonly<Record<string, SearchAttributeType>>>()
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

  async registerNamespace(namespace: NewCellNamespace): Promise<void> {
    this.#call('registerNamespace', namespace.name, () => {
      if (this.#namespaces.has(namespace.name)) throw new CellError('exists', `${namespace.name} exists`)
      this.#namespaces.set(namespace.name, { id: randomUUID(), state: 'registered', ...namespace })
    })
  }

  async describeNamespace(name: string): Promise<CellNamespace> {
    return this.#call('describeNamespace', name, () => this.#known(name))
  }

  async updateNamespace(name: string, change: CellNamespaceChange): Promise<void> {
    this.#call('updateNamespace', name, () => {
      const known = this.#known(name)
      this.#namespaces.set(name, { ...known, ...change, data: { ...known.data, ...change.data } })
    })
  }

  async deleteNamespace(name: string): Promise<void> {
    this.#call('deleteNamespace', name, () => {
      this.#known(name)
      this.#namespaces.delete(name)
      this.#attributes.delete(name)
    })
  }

  async listNamespaces(): Promise<readonly CellNamespace[]> {
    return this.#call('listNamespaces', '', () => [...this.#namespaces.values()])
  }

  async listSearchAttributes(namespace: string): Promise<Readonly<Record<string, SearchAttributeType>>> {
    return this.#call('listSearchAttributes', namespace, () => {
      this.#known(namespace)
      return this.#attributes.get(namespace) ?? {}
    })
  }

  async addSearchAttributes(
    namespace: string,
    attributes: Readonly<Record<string, SearchAttributeType>>,
  ): Promise<void> {
    this.#call('addSearchAttributes', namespace, () => {
      this.#known(namespace)
      this.#attributes.set(namespace, { ...attributes, ...this.#attributes.get(namespace) })
    })
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
