import { type Dns, DnsError, type DnsErrorKind, type DnsRecord, type OwnedName } from './contract.ts'

type Method = 'ensure' | 'remove' | 'list'

/** A zone in memory, for tests of whatever uses one. Goes wrong on demand, before or after the effect. */
export class FakeDns implements Dns {
  readonly name = 'fake'
  readonly zone = 'fake'
  /** Every call in its order. */
  readonly calls: { readonly method: Method; readonly name: string }[] = []
  readonly #owned = new Map<string, DnsRecord>()
  readonly #foreign = new Map<string, DnsRecord>()
  readonly #failures: { readonly method: Method; readonly kind: DnsErrorKind; readonly after: boolean }[] = []

  failNext(method: Method, kind: DnsErrorKind): void {
    this.#failures.push({ method, kind, after: false })
  }

  loseNextAnswer(method: Method): void {
    this.#failures.push({ method, kind: 'unknown', after: true })
  }

  /** Somebody else makes a record. */
  addForeign(record: DnsRecord): void {
    this.#foreign.set(record.name, record)
  }

  /** What resolvers see, ours and others'. */
  lookup(name: string): DnsRecord | undefined {
    return this.#owned.get(name) ?? this.#foreign.get(name)
  }

  async ensure(record: DnsRecord): Promise<void> {
    this.#call('ensure', record.name, () => {
      if (this.#foreign.has(record.name)) throw new DnsError('foreign', `${record.name} is somebody else's`)
      this.#owned.set(record.name, record)
    })
  }

  async remove(name: string): Promise<void> {
    this.#call('remove', name, () => void this.#owned.delete(name))
  }

  async list(): Promise<readonly OwnedName[]> {
    return this.#call('list', '', () => [...this.#owned.values()].map((record) => ({ name: record.name, record })))
  }

  #call<Result>(method: Method, name: string, work: () => Result): Result {
    this.calls.push({ method, name })
    const index = this.#failures.findIndex((failure) => failure.method === method)
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1)
    if (failure?.after === false) throw new DnsError(failure.kind, `${method} fails on demand`)
    const result = work()
    if (failure !== undefined) throw new DnsError(failure.kind, `the answer of ${method} is lost on demand`)
    return result
  }
}
