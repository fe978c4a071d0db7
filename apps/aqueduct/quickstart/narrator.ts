import { coerceError } from '#libs/base'
import type { LiveScreen } from './live-screen.ts'

/** What a step says about itself while it works. */
export interface Telling {
  /** What came of it, in a line. */
  result(text: string): void
  /** What a person would type for it. Said before it is tried, so that a failed step shows it, too. */
  command(text: string): void
  /** What is being done now. */
  progress(detail: string): void
}

/** For work that is part of something else. */
export const silent: Telling = { result: () => undefined, command: () => undefined, progress: () => undefined }

/** A step did not work; everything that a person wants to know is on the screen already. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}

export interface StepDescription {
  readonly title: string
  /** Paths or hints that help when it fails. */
  readonly lookAt: readonly string[]
}

/** Tells the steps of a story one after another: number, title, time, what came of it, and the commands. */
export class Narrator {
  readonly #screen: LiveScreen
  readonly #steps: number
  readonly #signal: AbortSignal
  #number = 0

  /** @param signal ends the step that is under way, whatever it waits for. */
  constructor(screen: LiveScreen, steps: number, signal: AbortSignal) {
    this.#screen = screen
    this.#steps = steps
    this.#signal = signal
  }

  /** @throws StepFailed after telling what failed and where to look. */
  async step<Result>({ title, lookAt }: StepDescription, work: (telling: Telling) => Promise<Result>): Promise<Result> {
    this.#number += 1
    const number = `${this.#number}/${this.#steps}`
    const results: string[] = []
    const commands: string[] = []
    const began = performance.now()
    const head = (mark: string): string =>
      `\n${mark} ${number} ${title.padEnd(72)} ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s`
    const busy = this.#screen.busy(`${number} ${title}`)
    try {
      const working = work({
        result: (text) => void results.push(text),
        command: (text) => void commands.push(text),
        progress: (detail) => busy.update(detail),
      })
      const result = await Promise.race([working, aborted(this.#signal)])
      busy.end()
      this.#tell(head('✓'), results, commands)
      return result
    } catch (thrown) {
      busy.end()
      if (this.#signal.aborted) throw new StepFailed('stopped', { cause: thrown })
      this.#tell(head('✗'), results, commands)
      this.#screen.line(`\n  What failed: ${coerceError(thrown).message}`)
      this.#screen.line(['  What to look at:', ...lookAt].join('\n    '))
      throw new StepFailed(title, { cause: thrown })
    }
  }

  #tell(head: string, results: readonly string[], commands: readonly string[]): void {
    const lines = [...results.map((text) => `    ${text}`), ...commands.map(indented)]
    this.#screen.line([head, ...lines].join('\n'))
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new Error('it was told to stop'))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

function indented(command: string): string {
  return command
    .split('\n')
    .map((line, index) => (index === 0 ? `  $ ${line}` : `    ${line}`))
    .join('\n')
}
