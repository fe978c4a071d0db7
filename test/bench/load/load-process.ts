import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { GeneratorAnswer } from './generator.ts'
import type { GrpcJob, LoadJob, LoadResult, PacedJob, PacedResult, RestJob, TurnsJob, TurnsResult } from './job.ts'

/** Makes load in a process of its own, so that client and server take no turns on one event loop. */
export class LoadProcess {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'generator.ts'), [], { serialization: 'advanced' })
  }

  /** @throws Error when calls failed: a rate of refusals says nothing. */
  async run(job: GrpcJob | RestJob | PacedJob): Promise<LoadResult> {
    const result = (await this.#ask(job)) as LoadResult
    if (result.calls === 0 || result.failures > 0) {
      throw new Error(`${result.failures} calls failed, ${result.calls} did not: ${result.failure ?? 'no call ended'}`)
    }
    return result
  }

  /** As `run`. */
  async pace(job: PacedJob): Promise<PacedResult> {
    return (await this.run(job)) as PacedResult
  }

  /** @throws Error of the first call that fails. */
  async takeTurns(job: TurnsJob): Promise<TurnsResult> {
    return (await this.#ask(job)) as TurnsResult
  }

  stop(): void {
    this.#child.disconnect()
  }

  async #ask(job: LoadJob): Promise<LoadResult | TurnsResult> {
    const over = new AbortController()
    const { signal } = over
    const answered = once(this.#child, 'message', { signal }) as Promise<[GeneratorAnswer]>
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new Error('the load generator ended')
    })
    for (const waiting of [answered, ended]) waiting.catch(() => undefined)
    this.#child.send(job)
    const [answer] = await Promise.race([answered, ended]).finally(() => over.abort())
    if ('error' in answer) throw new Error(`the load generator failed: ${answer.error}`)
    return answer.result
  }
}
