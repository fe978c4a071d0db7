/** What the launcher shows a person, as opposed to the logs. */
export interface Screen {
  line(text: string): void
}

/** The same complaint again within this time is only counted. */
const quietMs = 30_000

/** Puts what parts report as errors on the screen in one line each, and a flood of the same in one line, too. */
export class ErrorSummary {
  readonly #screen: Screen
  readonly #said = new Map<string, { at: number; held: number }>()

  constructor(screen: Screen) {
    this.#screen = screen
  }

  /** Takes one line of a part's log; lines that are not JSON records of level error or fatal are left to the file. */
  take(part: string, line: string): void {
    const message = errorMessage(line)
    if (message === undefined) return
    const text = `${part}: ${message}`
    const now = performance.now()
    const earlier = this.#said.get(text)
    if (earlier !== undefined && now - earlier.at < quietMs) {
      earlier.held += 1
      return
    }
    const again = earlier !== undefined && earlier.held > 0 ? ` (${earlier.held} more before)` : ''
    if (this.#said.size > 1000) this.#said.clear()
    this.#said.set(text, { at: now, held: 0 })
    this.#screen.line(`  ! ${text}${again}`)
  }
}

const worthReading = /"level":"(error|fatal)"/

function errorMessage(line: string): string | undefined {
  // Looked for first: the API logs every call, and reading each line as JSON would cost as much as a part of the call.
  if (!line.startsWith('{') || !worthReading.test(line)) return undefined
  try {
    const { level, msg, err } = JSON.parse(line) as Record<string, unknown>
    if (level !== 'error' && level !== 'fatal') return undefined
    const cause = typeof err === 'object' && err !== null && 'message' in err ? `: ${String(err.message)}` : ''
    return `${String(msg)}${cause}`.slice(0, 300)
  } catch {
    return undefined
  }
}
