import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import type { NodeProcess, NodeProcessStatus } from '#libs/domain/nodes'
import { signalProcess } from '#libs/processes'
import type { Logger } from '#libs/telemetry'
import { lastLine } from './log-files.ts'
import { adopt, forget, type RunningProcess, start } from './running-process.ts'
import { whenAborted } from './when-aborted.ts'

export interface SupervisedProcessOptions {
  /** The node's folder. */
  readonly dir: string
  /** Where the process listens: it is ready when a connection to `spec.readyPort` is accepted. */
  readonly address: string
  readonly spec: NodeProcess
  readonly fingerprint: string
  readonly logger: Logger
  /** Called after every change of `status`. */
  readonly onChange: () => void
}

const backoff = { initialMs: 200, maxMs: 10_000 }
/** A process that was ready for this long starts again without having its earlier failures counted. */
const stableMs = 10_000
const probeMs = 25

/** Keeps one process alive until told to stop. */
export class SupervisedProcess {
  readonly #options: SupervisedProcessOptions
  readonly #stopping = new AbortController()
  readonly #killing = new AbortController()
  readonly #firstReady = Promise.withResolvers<void>()
  #status: NodeProcessStatus
  #failures = 0
  #wasReady = false
  #done: Promise<void> = Promise.resolve()

  constructor(options: SupervisedProcessOptions) {
    this.#options = options
    const since = new Date().toISOString()
    this.#status = { name: options.spec.name, state: 'starting', restarts: 0, since, detail: '' }
  }

  get name(): string {
    return this.#options.spec.name
  }

  get fingerprint(): string {
    return this.#options.fingerprint
  }

  get status(): NodeProcessStatus {
    return this.#status
  }

  /**
   * Whether it died so often without ever getting ready that waiting will hardly help. One that was ready once goes on
   * being tried, and is not called failed: what it misses, a database say, comes back, and to make the node anew helps
   * nobody.
   */
  get failing(): boolean {
    return !this.#wasReady && this.#failures >= 5
  }

  /** Resolves when the process has been ready once, or when it is stopped. */
  get firstReady(): Promise<void> {
    return this.#firstReady.promise
  }

  start(): void {
    this.#done = this.#run()
  }

  /** SIGTERM, SIGKILL after the process' own time; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#done
  }

  /** SIGKILL now; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#killing.abort()
    await this.stop()
  }

  async #run(): Promise<void> {
    const { dir, spec, logger } = this.#options
    try {
      while (!this.#stopping.signal.aborted) {
        const why = await this.#runOnce()
        if (this.#stopping.signal.aborted) break
        this.#failures += 1
        const waitMs = backoffMs(this.#failures, backoff)
        logger.warn({ process: spec.name, why, failures: this.#failures, waitMs }, 'process died')
        const words = await lastLine(join(dir, 'log', `${spec.name}.log`))
        const detail = `${why}; log/${spec.name}.log ends with: ${words}`
        this.#set({ state: 'backoff', restarts: this.#status.restarts + 1, detail })
        await delay(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      }
      await forget(dir, spec.name).catch(() => undefined)
    } finally {
      this.#set({ state: 'stopped', detail: '' })
      this.#firstReady.resolve()
    }
  }

  /** One life of the process. @returns how it ended, or why it could not begin. */
  async #runOnce(): Promise<string> {
    const { dir, spec, fingerprint, logger } = this.#options
    this.#set({ state: 'starting', detail: this.#status.detail })
    let running: RunningProcess
    try {
      running = (await adopt(dir, spec, fingerprint)) ?? (await start(dir, spec, fingerprint))
    } catch (thrown) {
      return `cannot be started: ${coerceError(thrown).message}`
    }
    logger.info({ process: spec.name, pid: running.identity.pid, adopted: running.adopted }, 'process runs')
    this.#set({ state: 'starting', pid: running.identity.pid, detail: this.#status.detail })
    const over = new AbortController()
    const ended = running.exited.then((why) => {
      over.abort()
      return why
    })
    const [why] = await Promise.all([ended, this.#announce(over.signal), this.#endWhenTold(running, over.signal)])
    return why
  }

  async #announce(over: AbortSignal): Promise<void> {
    const { address, spec } = this.#options
    if (!(await untilAccepting(address, spec.readyPort, AbortSignal.any([over, this.#stopping.signal])))) return
    const readyAt = performance.now()
    this.#wasReady = true
    this.#set({ state: 'ready', detail: '' })
    this.#firstReady.resolve()
    await whenAborted(over)
    if (performance.now() - readyAt >= stableMs) this.#failures = 0
  }

  async #endWhenTold(running: RunningProcess, over: AbortSignal): Promise<void> {
    await whenAborted(AbortSignal.any([over, this.#stopping.signal]))
    if (over.aborted) return
    this.#set({ state: 'stopping', detail: '' })
    signalProcess(running.identity, 'SIGTERM')
    const cut = AbortSignal.any([over, this.#killing.signal])
    await delay(this.#options.spec.stopMs, undefined, { signal: cut }).catch(() => undefined)
    if (over.aborted) return
    this.#options.logger.warn({ process: this.name, pid: running.identity.pid }, 'process is killed')
    signalProcess(running.identity, 'SIGKILL')
  }

  #set(change: Pick<NodeProcessStatus, 'state' | 'detail'> & Partial<NodeProcessStatus>): void {
    const { pid, ...rest } = this.#status
    const alive = change.state === 'ready' || change.state === 'stopping'
    const since = change.state === rest.state ? rest.since : new Date().toISOString()
    this.#status = { ...rest, ...(alive && pid !== undefined ? { pid } : {}), since, ...change }
    this.#options.onChange()
  }
}

/** @returns false when `signal` came first. */
async function untilAccepting(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await accepts(host, port)) return !signal.aborted
    await delay(probeMs, undefined, { signal }).catch(() => undefined)
  }
  return false
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const finish = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1_000, () => finish(false))
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}
