import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import { agentPidFile, identify, tryLock, writePidFile } from '#libs/processes'
import type { Logger } from '#libs/telemetry'
import type { FollowEdgeOptions } from './edge/follower.ts'
import { boundLogs } from './log-files.ts'
import { readManifest } from './manifest-file.ts'
import { withOwnKey } from './own-key.ts'
import { Supervisor } from './supervisor.ts'

export interface AgentOptions {
  /** The node's folder, as a real path. */
  readonly dir: string
  readonly logger: Logger
  /**
   * Keeps the edge's last known good configuration in the folder up to date until `signal` aborts. Makes files that Envoy
   * can start with before it returns its promise.
   */
  readonly followEdge: (options: FollowEdgeOptions) => Promise<void>
}

/** How an agent's run ended: told to, its folder was deleted, or another agent has the folder. */
export type AgentEnd = 'stopped' | 'vanished' | 'already_running'

const tickMs = 500
const logCheckMs = 10_000
const maxLogBytes = 16 * 1024 * 1024

/** Runs one node: one agent a folder, from its manifest alone, with or without a control plane. */
export class Agent {
  readonly #options: AgentOptions
  readonly #supervisor: Supervisor
  readonly #stopping = new AbortController()
  #wake = Promise.withResolvers<void>()
  #told = 0
  #unreadable = false
  #applying: { readonly generation: number; readonly abort: AbortController; readonly done: Promise<void> } | undefined
  #edge: { readonly key: string; readonly abort: AbortController; readonly done: Promise<void> } | undefined

  constructor(options: AgentOptions) {
    this.#options = options
    this.#supervisor = new Supervisor({ dir: options.dir, logger: options.logger })
  }

  /** Looks at the manifest now instead of within half a second. */
  reload(): void {
    this.#wake.resolve()
  }

  /** The first call ends the processes in order; a second one at once, with SIGKILL. */
  stop(): void {
    this.#told += 1
    this.#stopping.abort()
    this.#wake.resolve()
    if (this.#told > 1) void this.#supervisor.kill()
  }

  async run(): Promise<AgentEnd> {
    const { dir, logger } = this.#options
    const lock = await tryLock(`node-agent ${dir}`)
    if (lock === undefined) return 'already_running'
    const home = await stat(dir)
    const pidFile = agentPidFile(dir)
    const identity = identify(process.pid)
    if (identity === undefined) throw new Error('/proc is not readable')
    await mkdir(join(dir, 'run'), { recursive: true, mode: 0o700 })
    await writePidFile(pidFile, { ...identity, fingerprint: '' })
    logger.info({ dir, pid: process.pid }, 'node agent runs')
    let end: AgentEnd = 'stopped'
    let logsAt = performance.now() + logCheckMs
    while (!this.#stopping.signal.aborted) {
      if (!(await isSameFolder(dir, home.ino))) {
        end = 'vanished'
        break
      }
      await this.#takeManifest()
      if (performance.now() >= logsAt) {
        await boundLogs(join(dir, 'log'), maxLogBytes).catch((error: unknown) =>
          logger.warn({ err: error }, 'log files'),
        )
        logsAt = performance.now() + logCheckMs
      }
      await this.#sleep()
    }
    logger.info({ end }, 'node agent stops its processes')
    this.#edge?.abort.abort()
    this.#applying?.abort.abort()
    await this.#applying?.done
    await this.#edge?.done
    await this.#supervisor.stop()
    if (end === 'stopped') await rm(pidFile, { force: true })
    await lock.release()
    logger.info({ end }, 'node agent ends')
    return end
  }

  async #takeManifest(): Promise<void> {
    let manifest: NodeManifest
    try {
      manifest = await readManifest(join(this.#options.dir, 'manifest.json'))
    } catch (thrown) {
      this.#unreadable = true
      this.#supervisor.report(coerceError(thrown).message)
      return
    }
    if (this.#unreadable) this.#supervisor.report('')
    this.#unreadable = false
    const current = this.#supervisor.manifest
    if (current !== undefined && manifest.nodeId !== current.nodeId) {
      this.#supervisor.report(`manifest.json is of the node ${manifest.nodeId}`)
      return
    }
    if (manifest.generation <= (this.#applying?.generation ?? -1)) return
    this.#applying?.abort.abort()
    await this.#applying?.done
    const abort = new AbortController()
    const done = this.#apply(manifest, abort.signal)
    this.#applying = { generation: manifest.generation, abort, done }
  }

  async #apply(manifest: NodeManifest, signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    logger.info({ generation: manifest.generation }, 'taking up the manifest')
    for (;;) {
      try {
        const whole = await withOwnKey(this.#options.dir, manifest)
        await this.#supervisor.apply(whole, signal, () => this.#follow(whole))
        return
      } catch (thrown) {
        // A full disk, say: what is on disk may be half of it, so it is tried again until it works or is overtaken.
        logger.error({ err: thrown, generation: manifest.generation }, 'the manifest cannot be taken up')
        this.#supervisor.report(`generation ${manifest.generation}: ${coerceError(thrown).message}`)
        await delay(2_000, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return
      }
    }
  }

  /** Follows the edge's configuration as the manifest says, from the moment its files are written. */
  async #follow(manifest: NodeManifest): Promise<void> {
    const source = manifest.edge
    const paths = source === undefined ? [] : [source.caFile, source.certificateFile, source.keyFile]
    const contents = manifest.files.filter((file) => paths.includes(file.path))
    const key = JSON.stringify([manifest.address, source, contents])
    if (this.#edge?.key === key) return
    // One at a time: two would write the same files.
    this.#edge?.abort.abort()
    await this.#edge?.done
    const abort = new AbortController()
    const { dir, logger } = this.#options
    const { cellId, address } = manifest
    const done =
      source === undefined
        ? Promise.resolve()
        : this.#options.followEdge({ source, cellId, address, dir, logger, signal: abort.signal })
    this.#edge = {
      key,
      abort,
      done: done.catch((error: unknown) => logger.error({ err: error }, 'the edge is not followed')),
    }
  }

  async #sleep(): Promise<void> {
    const timer = new AbortController()
    await Promise.race([this.#wake.promise, delay(tickMs, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    this.#wake = Promise.withResolvers()
    if (this.#stopping.signal.aborted) this.#wake.resolve()
  }
}

/** Whether the node's folder is still there, and is still the one that the agent began with. */
async function isSameFolder(dir: string, inode: number): Promise<boolean> {
  try {
    return (await stat(dir)).ino === inode
  } catch {
    return false
  }
}
