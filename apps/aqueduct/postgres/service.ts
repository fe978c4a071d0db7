import { backoffMs, coerceError } from '#libs/base'
import type { Screen } from '../processes/screen.ts'
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts'

/** The embedded server, started again when it ends by itself, on the same port, so that everybody finds it again. */
export class PostgresService {
  readonly #options: ClusterOptions
  readonly #screen: Screen
  #cluster: Cluster | undefined
  #stopping = false
  #settled: Promise<void> = Promise.resolve()

  constructor(options: ClusterOptions, screen: Screen) {
    this.#options = options
    this.#screen = screen
  }

  /** @returns the superuser's URL, see `Cluster`. */
  async start(): Promise<string> {
    this.#cluster = await startCluster(this.#options)
    void this.#watch(this.#cluster)
    return this.#cluster.adminUrl
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#cluster?.stop()
    await this.#settled
    // One that was just being started again while the stop was asked for.
    await this.#cluster?.stop()
  }

  async kill(): Promise<void> {
    this.#stopping = true
    this.#cluster?.kill()
    await this.#cluster?.exited
  }

  async #watch(cluster: Cluster): Promise<void> {
    const how = await cluster.exited
    if (this.#stopping) return
    this.#screen.line(`  ! Postgres ended by itself (${how}) and is started again`)
    this.#settled = this.#startAgain()
  }

  async #startAgain(): Promise<void> {
    for (let failures = 0; !this.#stopping; ) {
      try {
        this.#cluster = await startCluster(this.#options)
        void this.#watch(this.#cluster)
        return
      } catch (thrown) {
        failures += 1
        this.#screen.line(`  ! ${coerceError(thrown).message}`)
        await new Promise((resolve) => setTimeout(resolve, backoffMs(failures, { initialMs: 500, maxMs: 10_000 })))
      }
    }
  }
}
