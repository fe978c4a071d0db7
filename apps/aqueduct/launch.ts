import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import type { Environment } from '#libs/config'
import { allGone, findByEnvironment, identify, signalProcess, writeFileAtomic, writePidFile } from '#libs/processes'
import { migrate } from '#libs/store'
import { type Addresses, addressesOf, choosePorts, type Ports, portVariables } from './addresses.ts'
import type { Bootstrap } from './bootstrap.ts'
import type { Credentials } from './credentials.ts'
import { launcherPidFile, takeDataFolder } from './data-folder.ts'
import { anonymous, embeddedDatabase, productDatabase } from './database.ts'
import { loadMasterKey } from './master-key.ts'
import { killNodes, stopNodeAgents } from './node-agents.ts'
import { ensureDatabase } from './postgres/ensure-database.ts'
import { PostgresService } from './postgres/service.ts'
import { BoundedLog } from './processes/bounded-log.ts'
import { Part, type PartSpec } from './processes/part.ts'
import type { Screen } from './processes/screen.ts'
import type { Settings } from './settings.ts'
import type { Progress } from './toolchain/progress.ts'
import { resolveToolchain } from './toolchain/toolchain.ts'

export interface LaunchOptions {
  readonly settings: Settings
  /** Handed on to the parts, with what they need added. */
  readonly environment: Environment
  readonly screen: Screen
  readonly progress: Progress
  /** Aborting ends a start that is under way; what is there by then is stopped in order. */
  readonly signal: AbortSignal
  readonly bootstrap: Bootstrap
  /** In the order in which they start; they stop in the opposite order. */
  readonly parts: readonly { readonly name: string; readonly main: string; readonly stopMs: number }[]
}

/** The product, up and ready. */
export interface Running {
  readonly dataDirectory: string
  readonly addresses: Addresses
  readonly credentials: Credentials
  /** Why the operator's files do not open the operator API, and what to do; undefined: they do. */
  readonly operatorProblem: string | undefined
  /** Ends everything in order. */
  stop(): Promise<void>
}

interface Stage {
  readonly name: string
  stop(): Promise<void>
  kill(): Promise<void>
}

/**
 * One run of the product, from nothing to ready and back. `kill` works at every moment, also while `start` or `stop`
 * is under way, and leaves no process behind.
 */
export class Launch {
  readonly #options: LaunchOptions
  readonly #stages: Stage[] = []
  #stopping: Promise<void> | undefined
  #killed = false

  constructor(options: LaunchOptions) {
    this.#options = options
  }

  /** @throws Error that says what to do; everything that was started is stopped again by then. */
  async start(): Promise<Running> {
    try {
      return await this.#start()
    } catch (thrown) {
      await this.stop()
      throw thrown
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#unwind()
    return this.#stopping
  }

  /** SIGKILL to everything: the parts before the nodes, since the provisioner would start nodes again. */
  async kill(): Promise<void> {
    this.#killed = true
    for (const stage of this.#stages.toReversed()) await stage.kill().catch(() => undefined)
  }

  async #unwind(): Promise<void> {
    // One that cannot be stopped must not keep the others running.
    for (let stage = this.#stages.at(-1); stage !== undefined; stage = this.#stages.at(-1)) {
      if (this.#killed) return
      try {
        await stage.stop()
      } catch (thrown) {
        this.#options.screen.line(`  ! stopping ${stage.name}: ${coerceError(thrown).message}`)
        await stage.kill().catch(() => undefined)
      }
      this.#stages.pop()
    }
  }

  async #start(): Promise<Running> {
    const { settings, signal, environment, bootstrap } = this.#options
    const { directory, lock } = await takeDataFolder(settings.dataDirectory)
    this.#stages.push({ name: 'the lock', stop: () => lock.release(), kill: async () => undefined })
    await this.#writeOwnPid(directory)
    // One that was killed outright had no time to.
    rmSync(addressesFile(directory), { force: true })
    await endLeftParts(directory)
    const ports = await choosePorts(portsOf(settings))
    const masterKey = await loadMasterKey({
      given: settings.masterKey,
      file: settings.masterKeyFile,
      dataDirectory: directory,
      dataExists: settings.databaseUrl === '' && existsSync(join(directory, 'postgres', 'data')),
    })
    const { cacheDirectory } = settings
    const toolchain = await this.#step('programs', () =>
      resolveToolchain({ cacheDirectory, environment, progress: this.#options.progress, signal }),
    )
    const adminUrl = await this.#step('database', () => this.#database(directory))
    const { credentials, operatorProblem } = await this.#step('schema and first keys', async () => {
      await migrate({ adminUrl, masterKey: masterKey.key })
      const { firstOperator } = settings
      return await bootstrap({ dataDirectory: directory, adminUrl, masterKey: masterKey.key, firstOperator })
    })
    this.#stages.push({
      name: 'the nodes',
      stop: () => stopNodeAgents(directory),
      kill: () => killNodes(directory),
    })
    const forParts = {
      ...environment,
      ...masterKey.environment,
      ...portVariables(ports),
      DATABASE_URL: undefined,
      AQUEDUCT_DATA_DIR: directory,
      AQUEDUCT_LOG_LEVEL: settings.logLevel,
      AQUEDUCT_DOMAIN: settings.domain,
      AQUEDUCT_REGIONS: settings.regions,
      AQUEDUCT_DATABASE_URL: anonymous(adminUrl),
    }
    // Only the provisioner makes databases for cells and starts programs.
    const forProvisioner = {
      AQUEDUCT_CELL_DATABASE_URL: adminUrl,
      TEMPORAL_SERVER: toolchain.temporalServer,
      TEMPORAL_SQL_TOOL: toolchain.temporalSqlTool,
      ENVOY: toolchain.envoy,
    }
    for (const part of this.#options.parts) {
      const spec = { ...part, environment: part.name === 'provisioner' ? { ...forParts, ...forProvisioner } : forParts }
      await this.#step(part.name, () => this.#part(directory, spec))
    }
    const addresses = addressesOf(ports)
    await this.#publish(directory, addresses, credentials)
    return { dataDirectory: directory, addresses, credentials, operatorProblem, stop: () => this.stop() }
  }

  /** Runs one step and says how long it took. */
  async #step<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    this.#options.signal.throwIfAborted()
    const began = performance.now()
    const result = await work()
    this.#options.screen.line(`  ✓ ${name.padEnd(24)} ${((performance.now() - began) / 1000).toFixed(1)} s`)
    this.#options.signal.throwIfAborted()
    return result
  }

  async #database(directory: string): Promise<string> {
    const { settings, screen } = this.#options
    if (settings.databaseUrl !== '') return settings.databaseUrl
    const { port, password } = await embeddedDatabase(directory, settings.postgresPort)
    const log = new BoundedLog(join(directory, 'log', 'postgres.log'))
    const postgres = new PostgresService(
      {
        directory: join(directory, 'postgres'),
        port,
        password,
        onOutput: (chunk) => log.write(chunk),
        dieWithParent: false,
        // A cell's four services keep pools of their own beside ours.
        settings: { max_connections: '400', shared_buffers: '128MB', log_min_messages: 'warning' },
      },
      screen,
    )
    this.#stages.push({ name: 'Postgres', stop: () => postgres.stop(), kill: () => postgres.kill() })
    return await ensureDatabase(await postgres.start(), productDatabase)
  }

  async #part(dataDirectory: string, spec: PartSpec): Promise<void> {
    const part = new Part({ spec, dataDirectory, screen: this.#options.screen })
    this.#stages.push(part)
    const abort = (): void => void part.stop()
    this.#options.signal.addEventListener('abort', abort, { once: true })
    try {
      await part.start()
    } finally {
      this.#options.signal.removeEventListener('abort', abort)
    }
  }

  async #writeOwnPid(directory: string): Promise<void> {
    const identity = identify(process.pid)
    if (identity === undefined) throw new Error('/proc is not readable: Aqueduct runs on Linux')
    const file = launcherPidFile(directory)
    await writePidFile(file, { ...identity, fingerprint: '' })
    const remove = async (): Promise<void> => rmSync(file, { force: true })
    this.#stages.push({ name: 'the pid file', stop: remove, kill: remove })
  }

  /** Says where everything is, for people and programs; the file is there exactly while the product is ready. */
  async #publish(directory: string, addresses: Addresses, credentials: Credentials): Promise<void> {
    const file = addressesFile(directory)
    await writeFileAtomic(file, `${JSON.stringify({ ...addresses, ...credentials }, null, 2)}\n`, { mode: 0o644 })
    const remove = async (): Promise<void> => rmSync(file, { force: true })
    this.#stages.push({ name: 'addresses.json', stop: remove, kill: remove })
  }
}

function addressesFile(directory: string): string {
  return join(directory, 'addresses.json')
}

/** A launcher that was killed outright leaves its parts for a moment, until they notice: they must not meet new ones. */
async function endLeftParts(directory: string): Promise<void> {
  const left = findByEnvironment(`AQUEDUCT_PART_OF=${directory}`)
  for (const identity of left) signalProcess(identity, 'SIGTERM')
  if (await allGone(left, 20_000)) return
  for (const identity of left) signalProcess(identity, 'SIGKILL')
  await allGone(left, 5_000)
}

function portsOf(settings: Settings): Ports {
  return {
    http: settings.httpPort,
    https: settings.httpsPort,
    grpc: settings.grpcPort,
    grpcTls: settings.grpcTlsPort,
    operator: settings.operatorPort,
    discovery: settings.discoveryPort,
    join: settings.joinPort,
    provisioner: settings.provisionerPort,
    edge: settings.edgeHealthPort,
  }
}
