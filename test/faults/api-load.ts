import type { Answer, Tenant } from './tenant.ts'

export interface LoadOutcomes {
  readonly ok: number
  /** UNAVAILABLE: try again. */
  readonly unavailable: number
  /** Everything else, which no outage excuses. */
  readonly others: readonly string[]
}

/** Reads and changes without a pause, from several callers at once. */
export class ApiLoad {
  #ending = false
  #ok = 0
  #unavailable = 0
  readonly #others: string[] = []
  readonly #loops: readonly Promise<void>[]

  constructor(tenant: Tenant, namespace: string) {
    const path = `/cloud/namespaces/${tenant.namespaceId(namespace)}`
    const reads = ['/cloud/namespaces', path, '/cloud/api-keys', '/cloud/current-identity']
    this.#loops = [
      ...reads.map((read) => this.#loop(() => tenant.call('GET', read))),
      this.#loop(async (round) => {
        const spec = { name: `load-${round}`, access: { accountAccess: { role: 'ROLE_READ' } } }
        return tenant.call('POST', '/cloud/service-accounts', { spec })
      }),
    ]
  }

  async end(): Promise<LoadOutcomes> {
    this.#ending = true
    await Promise.all(this.#loops)
    return { ok: this.#ok, unavailable: this.#unavailable, others: this.#others }
  }

  async #loop(call: (round: number) => Promise<Answer>): Promise<void> {
    for (let round = 0; !this.#ending; round += 1) {
      try {
        const { status, body } = await call(round)
        if (status === 200) this.#ok += 1
        else if (status === 503 && body.code === 14) this.#unavailable += 1
        else this.#others.push(`${status} ${JSON.stringify(body)}`)
      } catch (thrown) {
        this.#others.push(thrown instanceof Error ? `${thrown.message}: ${String(thrown.cause)}` : String(thrown))
      }
    }
  }
}
