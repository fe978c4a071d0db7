import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { FleetAnswer, FleetJob, MemoryResult, PassResult, ReadResult } from './job.ts'

/** A provisioner in a process of its own; see fleet-process.ts. */
export class FleetProvisioner {
  readonly #child: ChildProcess
  readonly #answers: FleetAnswer[] = []
  readonly #began = performance.now()
  #failed: Error | undefined
  #heard: (() => void) | undefined

  constructor(job: FleetJob) {
    this.#child = fork(join(import.meta.dirname, 'fleet-process.ts'), [JSON.stringify(job)])
    this.#child.on('message', (answer: FleetAnswer) => {
      this.#answers.push(answer)
      this.#heard?.()
    })
    this.#child.on('exit', (code) => {
      this.#failed = new Error(`the provisioner ended with ${code}`)
      this.#heard?.()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** @returns seconds since it was started. */
  async ready(): Promise<{ readonly seconds: number; readonly rssBefore: number }> {
    const { rssBefore } = await this.#next('ready')
    return { seconds: (performance.now() - this.#began) / 1000, rssBefore }
  }

  /** @returns seconds since it was started. */
  async firstPass(): Promise<number> {
    await this.#next('first pass')
    return (performance.now() - this.#began) / 1000
  }

  async pass(): Promise<PassResult> {
    this.#child.send('pass')
    return this.#next('pass')
  }

  async read(): Promise<ReadResult> {
    this.#child.send('read')
    return this.#next('read')
  }

  async memory(): Promise<MemoryResult> {
    this.#child.send('memory')
    return this.#next('memory')
  }

  async stop(): Promise<void> {
    if (this.#failed !== undefined) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }

  async #next<Kind extends FleetAnswer['kind']>(kind: Kind): Promise<Extract<FleetAnswer, { kind: Kind }>> {
    for (;;) {
      const index = this.#answers.findIndex((answer) => answer.kind === kind)
      if (index !== -1) return this.#answers.splice(index, 1)[0] as Extract<FleetAnswer, { kind: Kind }>
      if (this.#failed !== undefined) throw this.#failed
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }
}
