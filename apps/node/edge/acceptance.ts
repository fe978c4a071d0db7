import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '#libs/telemetry'
import { listenerUpdates, refusalReason } from './envoy-admin.ts'

/**
 * The listeners of an edge. A namespace may have a chain on several of them; these stay and go together, since what is
 * wrong with one (a certificate, say) is wrong with the others.
 */
export interface Listeners {
  /** JSON of each listener without its chains. */
  readonly frames: readonly string[]
  /** By name, the JSON of the chain on each listener, in their order; '' where it has none. */
  readonly chains: ReadonlyMap<string, readonly string[]>
}

export interface AcceptanceOptions {
  /** The node's folder. */
  readonly dir: string
  readonly logger: Logger
  /** Replaces the listeners' file. */
  readonly write: (version: string, resources: string) => Promise<void>
}

type Verdict = 'accepted' | 'refused' | 'unknown'

const patienceMs = 10_000
const none: Listeners = { frames: [], chains: new Map() }

/**
 * Sees to it that Envoy takes the listeners. To Envoy each is all or nothing: one chain that it refuses would stop the
 * changes of all, and a restarted Envoy would serve nobody. So such a chain is found by halves and left out until it
 * changes. Its form of before does not stay either: it may trust what was revoked. What lies on disk in the end, and
 * between two attempts, is what Envoy took.
 */
export class Acceptance {
  readonly #options: AcceptanceOptions
  #wanted: { readonly version: string; readonly listeners: Listeners } = { version: 'none', listeners: none }
  /** What the file says. */
  #written: { readonly version: string; readonly listeners: Listeners } = this.#wanted
  #accepted = none
  /** The hashes of chains that Envoy refuses, by name. */
  readonly #refused = new Map<string, string>()
  /** Whether Envoy has had its say about the file; it says nothing when it does not run. */
  #settled = false
  #complained = false

  constructor(options: AcceptanceOptions) {
    this.#options = options
  }

  /** Begins with the file that is there. */
  begin(version: string, listeners: Listeners): void {
    this.#wanted = { version, listeners }
    this.#written = this.#wanted
    this.#settled = false
  }

  async take(version: string, listeners: Listeners): Promise<void> {
    await this.settle()
    this.#wanted = { version, listeners }
    await this.#serve()
  }

  /** Does what had to wait for Envoy to run. Not while `take` is at work. */
  async settle(): Promise<void> {
    if (this.#settled) return
    const updates = await listenerUpdates(this.#options.dir)
    if (updates === undefined) return
    if (updates.version === this.#written.version) {
      this.#accept()
      await this.#serve()
    } else if (updates.refusals > 0) {
      await this.#isolate()
    }
  }

  async #serve(): Promise<void> {
    const listeners = this.#allowed()
    if (listenersText(listeners) === listenersText(this.#written.listeners)) return
    const verdict = await this.#offer(listeners)
    if (verdict === 'refused') await this.#isolate()
  }

  /** What is wanted, without what Envoy is known to refuse. */
  #allowed(): Listeners {
    const { frames, chains } = this.#wanted.listeners
    for (const [name, refused] of this.#refused) {
      const chain = chains.get(name)
      if (chain === undefined || hash(chain) !== refused) this.#refused.delete(name)
    }
    return { frames, chains: new Map([...chains].filter(([name]) => !this.#refused.has(name))) }
  }

  /** Writes the file and waits for what Envoy says. */
  async #offer(listeners: Listeners): Promise<Verdict> {
    const { dir } = this.#options
    const before = await listenerUpdates(dir)
    await this.#write(listeners)
    if (before === undefined) return 'unknown'
    const deadline = performance.now() + patienceMs
    while (performance.now() < deadline) {
      const now = await listenerUpdates(dir)
      if (now === undefined) return 'unknown'
      if (now.version === this.#written.version) {
        this.#accept()
        return 'accepted'
      }
      if (now.refusals > before.refusals) return 'refused'
      await delay(20)
    }
    return 'unknown'
  }

  async #write(listeners: Listeners): Promise<void> {
    // Never the same twice, or Envoy's answer to one could be taken for that to another.
    const version = `${this.#wanted.version}-${randomBytes(4).toString('hex')}`
    this.#settled = false
    await this.#options.write(version, listenersText(listeners))
    this.#written = { version, listeners }
  }

  #accept(): void {
    this.#accepted = this.#written.listeners
    this.#settled = true
    this.#complained = false
  }

  /** The file was refused: serves everything in it but what Envoy refuses. */
  async #isolate(): Promise<void> {
    const wanted = this.#allowed()
    // What Envoy has already: no connection is cut that the change would not cut anyway.
    const good = new Set<string>()
    const suspects: string[] = []
    for (const [name, chain] of wanted.chains) {
      if (name === 'closed' || sameChains(this.#accepted.chains.get(name), chain)) good.add(name)
      else suspects.push(name)
    }
    const before = this.#accepted
    const verdict = await this.#offer(only(wanted, good))
    if (verdict === 'unknown') return
    if (verdict === 'refused') {
      await this.#complain()
      await this.#offer(before === none ? wanted : before)
      return
    }
    const completed = await this.#sift(wanted, good, suspects)
    // Envoy went away: the next one begins with what is known to be good.
    if (!completed) await this.#write(only(wanted, good))
  }

  /**
   * Adds to `good`, which Envoy has, the names of those suspects that it takes.
   * @returns false when Envoy says nothing any more.
   */
  async #sift(wanted: Listeners, good: Set<string>, suspects: readonly string[]): Promise<boolean> {
    const [namespaceId] = suspects
    if (namespaceId === undefined) return true
    const verdict = await this.#offer(only(wanted, new Set([...good, ...suspects])))
    if (verdict === 'unknown') return false
    if (verdict === 'accepted') {
      for (const name of suspects) good.add(name)
      return true
    }
    const reason = await refusalReason(this.#options.dir)
    // Before anything else, in case that this process ends; and Envoy is then done with what it refused.
    if ((await this.#offer(only(wanted, good))) !== 'accepted') return false
    if (suspects.length === 1) {
      this.#refused.set(namespaceId, hash(wanted.chains.get(namespaceId) ?? []))
      this.#options.logger.error({ namespaceId, reason }, 'Envoy refuses a namespace: it is left out until it changes')
      return true
    }
    const half = Math.ceil(suspects.length / 2)
    return (
      (await this.#sift(wanted, good, suspects.slice(0, half))) &&
      (await this.#sift(wanted, good, suspects.slice(half)))
    )
  }

  async #complain(): Promise<void> {
    if (this.#complained) return
    this.#complained = true
    const reason = await refusalReason(this.#options.dir)
    this.#options.logger.error({ reason }, 'Envoy refuses the listener, whatever its namespaces')
  }
}

function only({ frames, chains }: Listeners, names: ReadonlySet<string>): Listeners {
  return { frames, chains: new Map([...chains].filter(([name]) => names.has(name))) }
}

/** The content of the listeners' file, as a JSON list. */
function listenersText({ frames, chains }: Listeners): string {
  const listeners = frames.map((frame, index) => {
    const served = [...chains.values()].flatMap((own) => own[index] || [])
    return `${frame.slice(0, -1)},"filter_chains":[${served.join(',')}]}`
  })
  return `[${listeners.join(',')}]`
}

function hash(chains: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(chains)).digest('hex')
}

function sameChains(some: readonly string[] | undefined, others: readonly string[]): boolean {
  return some?.length === others.length && others.every((chain, index) => chain === some[index])
}
