import type { Screen } from '../processes/screen.ts'

/** Something that goes on. */
export interface Busy {
  /** What is being done now. */
  update(detail: string): void
  end(): void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const
const frameMs = 120
/** What is over sooner needs no sign of life. */
const quietMs = 500
/** Where nothing can be drawn over: the first line, and the next ones. */
const firstLineMs = 2_000
const lineMs = 10_000

/** A screen whose last line moves while something goes on; where it is no terminal, a line now and then. */
export class LiveScreen implements Screen {
  readonly #stream: NodeJS.WriteStream
  #status = ''

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  line(text: string): void {
    const status = this.#status
    this.#draw('')
    this.#stream.write(`${text}\n`)
    this.#draw(status)
  }

  /** One at a time. */
  busy(label: string): Busy {
    const began = performance.now()
    let detail = ''
    const seconds = (): string => `${Math.round((performance.now() - began) / 1000)} s`
    const text = (): string => (detail === '' ? `${label} ${seconds()}` : `${label} ${seconds()}, ${detail}`)
    const timers = this.#stream.isTTY
      ? [setInterval(() => this.#spin(began, text()), frameMs)]
      : [
          setTimeout(() => this.line(`  … ${text()}`), firstLineMs),
          setInterval(() => this.line(`  … ${text()}`), lineMs),
        ]
    return {
      update: (now) => {
        detail = now
      },
      end: () => {
        for (const timer of timers) clearTimeout(timer)
        this.#draw('')
      },
    }
  }

  #spin(began: number, text: string): void {
    const ranMs = performance.now() - began
    if (ranMs < quietMs) return
    const frame = frames[Math.floor(ranMs / frameMs) % frames.length] ?? ''
    this.#draw(`  ${frame} ${text}`.slice(0, (this.#stream.columns || 80) - 1))
  }

  #draw(status: string): void {
    if (status !== '' || this.#status !== '') this.#stream.write(`\r\u001b[2K${status}`)
    this.#status = status
  }
}
