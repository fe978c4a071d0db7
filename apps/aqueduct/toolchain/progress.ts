import { SingleBar } from 'cli-progress'

/** Shows a person that long work goes on. */
export interface Progress {
  begin(label: string, total: number): ProgressTask
}

export interface ProgressTask {
  /** `done` of `total`, and what is being done now. */
  update(done: number, detail: string): void
  end(): void
}

/** Work that is over sooner is not worth a word. */
const quietMs = 2_000
const lineEveryMs = 15_000

/** A bar on a terminal, and elsewhere a line now and then. */
export function terminalProgress(stream: NodeJS.WriteStream): Progress {
  return {
    begin: (label, total) => (stream.isTTY ? new BarTask(stream, label, total) : new LineTask(stream, label, total)),
  }
}

export const silentProgress: Progress = {
  begin: () => ({ update: () => undefined, end: () => undefined }),
}

class BarTask implements ProgressTask {
  readonly #bar: SingleBar
  readonly #timer: NodeJS.Timeout
  readonly #total: number
  #shown = false
  #done = 0
  #detail = ''

  constructor(stream: NodeJS.WriteStream, label: string, total: number) {
    this.#total = total
    this.#bar = new SingleBar({
      stream,
      format: `  ${label} [{bar}] {percentage}% {duration_formatted} {detail}`,
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      // The line stays one line: what it says is cut to the width of the terminal.
      linewrap: false,
    })
    this.#timer = setTimeout(() => {
      this.#shown = true
      this.#bar.start(total, this.#done, { detail: this.#detail })
    }, quietMs)
  }

  update(done: number, detail: string): void {
    // Totals are estimates: never claim to be done before it is.
    this.#done = Math.min(done, this.#total - 1)
    this.#detail = detail
    if (this.#shown) this.#bar.update(this.#done, { detail })
  }

  end(): void {
    clearTimeout(this.#timer)
    if (this.#shown) this.#bar.stop()
  }
}

class LineTask implements ProgressTask {
  readonly #began = performance.now()
  readonly #timers: NodeJS.Timeout[] = []
  #done = 0
  #detail = ''

  constructor(stream: NodeJS.WriteStream, label: string, total: number) {
    const say = (): void => {
      const percent = Math.floor((Math.min(this.#done, total - 1) / total) * 100)
      const seconds = Math.round((performance.now() - this.#began) / 1000)
      stream.write(`  ${label}: ${percent}% after ${seconds} s ${this.#detail}\n`)
    }
    this.#timers.push(setTimeout(say, quietMs), setInterval(say, lineEveryMs))
  }

  update(done: number, detail: string): void {
    this.#done = done
    this.#detail = detail
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
