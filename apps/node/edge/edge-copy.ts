import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { edgeFiles, frontendCluster, nexusCluster } from '#libs/domain/edges'
import { writeFileAtomic } from '#libs/processes'
import type { Logger } from '#libs/telemetry'
import { Acceptance, type Listeners } from './acceptance.ts'
import type { ReceivedEdge, Resource } from './edge-document.ts'

export interface EdgeCopyOptions {
  /** The node's folder. */
  readonly dir: string
  readonly address: string
  readonly logger: Logger
}

type Part = 'listeners' | 'routes' | 'endpoints' | 'httpEndpoints'

/** Whose endpoints are in which file: Envoy takes a file of one cluster's alone. */
const clusters = { endpoints: frontendCluster, httpEndpoints: nexusCluster } as const

/** Milliseconds that routes of chains that are gone stay: their connections are cut about a second after the change. */
const lingerMs = 5_000
/** Milliseconds between two looks whether an Envoy that did not run does so, and has taken the listener. */
const settleMs = 1_000
/** For tokens and server keys. */
const mode = 0o600

/**
 * The configuration files that Envoy watches, which are the last known good copy too. Each is replaced as a whole by a
 * rename, which is what Envoy looks for. They are not synced to disk: the file systems that nodes use flush a file that is
 * renamed over another, and `prepare` mends what a power cut left all the same.
 */
export class EdgeCopy {
  readonly #options: EdgeCopyOptions
  /** The resources of each file, as JSON text. */
  readonly #written: Record<Part, string> = { listeners: '', routes: '', endpoints: '', httpEndpoints: '' }
  /** Of the document that was taken last. */
  #routes: readonly Resource[] = []
  #version = 'none'
  /** Routes that the document no longer has, and when they go, in `performance.now()`'s milliseconds. */
  #going = new Map<string, { readonly resource: Resource; readonly at: number }>()
  readonly #acceptance: Acceptance
  #sweep: NodeJS.Timeout | undefined
  #settling: NodeJS.Timeout | undefined
  #queue: Promise<void> = Promise.resolve()

  constructor(options: EdgeCopyOptions) {
    this.#options = options
    const { dir, logger } = options
    const write = (version: string, resources: string) => this.#write('listeners', version, resources)
    this.#acceptance = new Acceptance({ dir, logger, write })
  }

  /** Leaves good files as they are and makes empty ones of what is missing or damaged. At once, before Envoy starts. */
  prepare(): void {
    mkdirSync(join(this.#options.dir, 'edge'), { recursive: true, mode: 0o700 })
    for (const part of ['endpoints', 'httpEndpoints', 'routes', 'listeners'] as const) {
      const found = this.#read(part)
      const resources = found?.resources ?? empty(part)
      if (found === undefined) this.#create(part, resources)
      this.#written[part] = JSON.stringify(resources)
      if (part === 'routes') this.#routes = resources
      if (part === 'listeners') this.#acceptance.begin(found?.version ?? 'none', this.#listeners(resources))
    }
    clearInterval(this.#settling)
    this.#settling = setInterval(() => {
      this.#inTurn(() => this.#acceptance.settle()).catch((error: unknown) =>
        this.#options.logger.warn({ err: error }, 'the listener of the edge cannot be written'),
      )
    }, settleMs)
    this.#settling.unref()
  }

  /**
   * Writes the files of a new document. Routes come before the listeners that name them, and those of chains that go stay
   * until the connections of these are gone: at no moment has a chain no routes.
   */
  async take(document: ReceivedEdge): Promise<void> {
    await this.#inTurn(async () => {
      const now = performance.now()
      for (const resource of this.#routes) this.#going.set(resource.name ?? '', { resource, at: now + lingerMs })
      for (const { name } of document.routes) this.#going.delete(name ?? '')
      for (const part of ['endpoints', 'httpEndpoints'] as const) {
        const own = document.endpoints.filter((resource) => resource.cluster_name === clusters[part])
        if (own.length > 0) await this.#write(part, document.version, JSON.stringify(own))
      }
      this.#routes = document.routes
      this.#version = document.version
      await this.#writeRoutes(now)
      await this.#acceptance.take(document.version, this.#listeners(document.listeners))
      clearTimeout(this.#sweep)
      if (this.#going.size === 0) return
      this.#sweep = setTimeout(() => {
        this.#inTurn(() => this.#writeRoutes(performance.now())).catch((error: unknown) =>
          this.#options.logger.warn({ err: error }, 'old routes stay until the next change'),
        )
      }, lingerMs + 100)
      this.#sweep.unref()
    })
  }

  close(): void {
    clearTimeout(this.#sweep)
    clearInterval(this.#settling)
  }

  /** Those of the latest document, whoever asks and whenever, and those that linger. */
  async #writeRoutes(now: number): Promise<void> {
    for (const [name, { at }] of this.#going) if (at <= now) this.#going.delete(name)
    const lingering = [...this.#going.values()].map(({ resource }) => resource)
    await this.#write('routes', this.#version, JSON.stringify([...this.#routes, ...lingering]))
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(work)
    this.#queue = turn.catch(() => undefined)
    await turn
  }

  /** The listeners with this node's address and folder. */
  #listeners(resources: readonly Resource[]): Listeners {
    const chains = new Map<string, string[]>()
    const frames = resources.map((resource, index) => {
      const { filter_chains: served = [], ...frame } = resource as Resource & {
        filter_chains?: readonly { name: string }[]
      }
      for (const chain of served) {
        const own = chains.get(chain.name) ?? resources.map(() => '')
        own[index] = this.#own(JSON.stringify(chain))
        chains.set(chain.name, own)
      }
      return this.#own(JSON.stringify(frame))
    })
    return { frames, chains }
  }

  #own(text: string): string {
    const { dir, address } = this.#options
    const folder = JSON.stringify(`${dir}/`).slice(0, -1)
    return text.replaceAll('"{address}"', () => JSON.stringify(address)).replaceAll('"{dir}/', () => folder)
  }

  /** @param resources JSON text */
  async #write(part: Part, version: string, resources: string): Promise<void> {
    // Envoy reads a file anew whatever changed: for a thousand chains that is a third of a second.
    if (part !== 'listeners' && resources === this.#written[part]) return
    await writeFileAtomic(this.#path(part), response(version, resources), { mode })
    this.#written[part] = resources
  }

  #create(part: Part, resources: readonly Resource[]): void {
    const path = this.#path(part)
    writeFileSync(`${path}.tmp`, response('none', JSON.stringify(resources)), { mode })
    renameSync(`${path}.tmp`, path)
  }

  #read(part: Part): { readonly version: string; readonly resources: readonly Resource[] } | undefined {
    try {
      const value = JSON.parse(readFileSync(this.#path(part), 'utf8')) as {
        version_info?: unknown
        resources?: unknown
      }
      if (!Array.isArray(value.resources)) return undefined
      return { version: String(value.version_info), resources: value.resources }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#options.logger.error({ part }, 'the copy of the edge configuration is damaged: it starts empty')
      }
      return undefined
    }
  }

  #path(part: Part): string {
    return join(this.#options.dir, edgeFiles[part])
  }
}

/** Envoy waits for the endpoints of a cluster that it knows: an empty list is an answer, no list is none. */
function empty(part: Part): readonly Resource[] {
  if (part !== 'endpoints' && part !== 'httpEndpoints') return []
  const type = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment'
  return [{ '@type': type, cluster_name: clusters[part] }]
}

function response(version: string, resources: string): string {
  return `{"version_info":${JSON.stringify(version)},"resources":${resources}}`
}
