import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeManifest, NodeStatus } from '#libs/domain/nodes'
import { writeFileAtomic } from '#libs/processes'
import type { Logger } from '#libs/telemetry'
import { fingerprint } from './fingerprint.ts'
import { writeNodeFiles } from './node-files.ts'
import { end, strangers } from './running-process.ts'
import { SupervisedProcess } from './supervised-process.ts'
import { whenAborted } from './when-aborted.ts'

export interface SupervisorOptions {
  /** The node's folder. */
  readonly dir: string
  readonly logger: Logger
}

/** Milliseconds from SIGTERM to SIGKILL for a process whose own time is not known any more. */
const strangerStopMs = 10_000

/** Makes the node's files and processes be what a manifest says, and writes `status.json`. */
export class Supervisor {
  readonly #dir: string
  readonly #logger: Logger
  #processes: readonly SupervisedProcess[] = []
  #manifest: NodeManifest | undefined
  /** Until a manifest has been taken up as a whole, what runs is not what it asks for. */
  #applying = false
  #problem = ''
  #writing: Promise<void> = Promise.resolve()
  #writePending = false

  constructor(options: SupervisorOptions) {
    this.#dir = options.dir
    this.#logger = options.logger
  }

  get manifest(): NodeManifest | undefined {
    return this.#manifest
  }

  /**
   * Writes the files, ends what is not asked for any more, and starts what is missing, in the manifest's order, each
   * when the one before has been ready once. Awaits `onFiles` when the files are there. Returns early when `signal`
   * aborts: a later manifest takes over then.
   */
  async apply(manifest: NodeManifest, signal: AbortSignal, onFiles: () => Promise<void>): Promise<void> {
    // A manifest that changes nothing but files, limits say, leaves a node that is ready as it is.
    this.#applying ||= this.#manifest === undefined || !this.#runs(manifest)
    this.#manifest ??= manifest
    for (const name of ['run', 'log']) await mkdir(join(this.#dir, name), { recursive: true, mode: 0o700 })
    await writeNodeFiles(this.#dir, manifest.files)
    await this.#endForgotten(manifest)
    this.#manifest = manifest
    this.#problem = ''
    this.#changed()
    await onFiles()
    const before = this.#processes
    for (const spec of manifest.processes) {
      if (signal.aborted) return
      const kept = before.find((process) => process.name === spec.name)
      const wanted = fingerprint(spec, manifest.files)
      const process = kept?.fingerprint === wanted ? kept : await this.#replace(kept, manifest, spec.name, wanted)
      await Promise.race([process.firstReady, whenAborted(signal)])
    }
    if (signal.aborted) return
    this.#applying = false
    this.#changed()
  }

  #runs(manifest: NodeManifest): boolean {
    return manifest.processes.every((spec) => {
      const process = this.#processes.find((candidate) => candidate.name === spec.name)
      return process?.fingerprint === fingerprint(spec, manifest.files)
    })
  }

  /** Something that keeps a manifest from being taken up, for `status.json`. */
  report(problem: string): void {
    if (this.#problem === problem) return
    this.#problem = problem
    this.#changed()
  }

  /** Ends every process, the last started first. */
  async stop(): Promise<void> {
    for (const process of this.#processes.toReversed()) await process.stop()
    await this.#flush()
  }

  /** SIGKILL to every process at once. */
  async kill(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()))
    await this.#flush()
  }

  async #replace(
    old: SupervisedProcess | undefined,
    manifest: NodeManifest,
    name: string,
    wanted: string,
  ): Promise<SupervisedProcess> {
    const spec = manifest.processes.find((candidate) => candidate.name === name)
    if (spec === undefined) throw new Error(`no process ${name}`)
    await old?.stop()
    const process = new SupervisedProcess({
      dir: this.#dir,
      address: manifest.address,
      spec,
      fingerprint: wanted,
      logger: this.#logger,
      onChange: () => this.#changed(),
    })
    const others = this.#processes.filter((candidate) => candidate !== old)
    const order = manifest.processes.map((candidate) => candidate.name)
    this.#processes = [...others, process].toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
    process.start()
    return process
  }

  /** Ends processes that the manifest does not name: ours, and those that an earlier agent left. */
  async #endForgotten(manifest: NodeManifest): Promise<void> {
    const asked = manifest.processes.map((process) => process.name)
    for (const process of this.#processes.toReversed()) {
      if (!asked.includes(process.name)) await process.stop()
    }
    this.#processes = this.#processes.filter((process) => asked.includes(process.name))
    for (const identity of strangers(this.#dir, asked)) await end(identity, strangerStopMs)
  }

  #status(manifest: NodeManifest): NodeStatus {
    const processes = this.#processes.map((process) => process.status)
    const details = processes.filter((one) => one.detail !== '').map((one) => `${one.name}: ${one.detail}`)
    if (this.#problem !== '') details.unshift(this.#problem)
    return {
      nodeId: manifest.nodeId,
      cellId: manifest.cellId,
      address: manifest.address,
      generation: manifest.generation,
      state: this.#state(manifest),
      detail: details.join('; '),
      processes,
      updatedAt: new Date().toISOString(),
    }
  }

  #state(manifest: NodeManifest): NodeStatus['state'] {
    const states = this.#processes.map((process) => process.status.state)
    if (this.#processes.some((process) => process.failing)) return 'failed'
    if (states.length > 0 && states.every((state) => state === 'stopped')) return 'stopped'
    const all = states.length === manifest.processes.length && states.every((state) => state === 'ready')
    return all && !this.#applying ? 'ready' : 'starting'
  }

  /** Many changes at once become one write; the last state is always written. */
  #changed(): void {
    if (this.#writePending) return
    this.#writePending = true
    this.#writing = this.#writing.then(() => this.#write())
  }

  async #write(): Promise<void> {
    this.#writePending = false
    const manifest = this.#manifest
    if (manifest === undefined) return
    const content = `${JSON.stringify(this.#status(manifest), null, 2)}\n`
    try {
      await writeFileAtomic(join(this.#dir, 'status.json'), content, { mode: 0o644 })
    } catch (error) {
      // The folder may be gone: the agent notices that by itself.
      this.#logger.warn({ err: error }, 'status.json cannot be written')
    }
  }

  async #flush(): Promise<void> {
    this.#changed()
    await this.#writing
  }
}
