import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { freePort } from '../../../apps/aqueduct/postgres/free-port.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import type { TestDatabase } from '../../harness/postgres.ts'
import { until } from '../../harness/until.ts'

const main = join(resolve(import.meta.dirname, '../../..'), 'apps/edge/main.ts')

/** The real `apps/edge`, as a process of its own, on ports that stay the same over its restarts. */
export class EdgeProcess {
  readonly discoveryUrl: string
  readonly joinUrl: string
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcess | undefined
  #said = ''

  private constructor(database: TestDatabase, ports: { discovery: number; join: number; health: number }) {
    this.discoveryUrl = `https://127.0.0.1:${ports.discovery}`
    this.joinUrl = `https://127.0.0.1:${ports.join}`
    this.#environment = {
      AQUEDUCT_DATABASE_URL: database.adminUrl,
      AQUEDUCT_MASTER_KEY: Buffer.from(testMasterKey).toString('base64'),
      AQUEDUCT_DISCOVERY_PORT: String(ports.discovery),
      AQUEDUCT_JOIN_PORT: String(ports.join),
      AQUEDUCT_EDGE_HEALTH_PORT: String(ports.health),
    }
  }

  static async start(database: TestDatabase): Promise<EdgeProcess> {
    const [discovery, joinPort, health] = [await freePort(), await freePort(), await freePort()]
    const edge = new EdgeProcess(database, { discovery, join: joinPort, health })
    await edge.start()
    return edge
  }

  /** All that it logged, over its restarts. */
  get log(): string {
    return this.#said
  }

  async metrics(): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.#environment.AQUEDUCT_EDGE_HEALTH_PORT}/metrics`)
    return await response.text()
  }

  async start(): Promise<void> {
    const from = this.#said.length
    const child = spawn(process.execPath, [main], { env: this.#environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#said += chunk.toString()
      })
    }
    await until('apps/edge is ready', () => {
      if (child.exitCode !== null) throw new Error(`apps/edge ended: ${this.#said}`)
      return this.#said.slice(from).includes('"ready"')
    })
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}
