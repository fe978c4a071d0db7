import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { backoffMs } from '#libs/base'
import type { Environment } from '#libs/config'
import { identify, type ReadyMessage, writePidFile } from '#libs/processes'
import { BoundedLog } from './bounded-log.ts'
import { ErrorSummary, type Screen } from './screen.ts'

/** One process of the product. */
export interface PartSpec {
  /** Names its log and its pid file. */
  readonly name: string
  /** Absolute path of its `main.ts`. */
  readonly main: string
  /** Its whole environment. */
  readonly environment: Environment
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly stopMs: number
}

export interface PartOptions {
  readonly spec: PartSpec
  /** Absolute; `<dataDirectory>/log` and `<dataDirectory>/run` exist. */
  readonly dataDirectory: string
  readonly screen: Screen
}

const backoff = { initialMs: 500, maxMs: 30_000 }
/** A part that ran for this long was well: its next crash counts as the first. */
const wellMs = 60_000
/** Crashes before it was ready once, after which starting the product has failed. */
const startAttempts = 3
const readyMs = 60_000

/**
 * Keeps one part running: started again with growing delays when it ends by itself. The part gets an IPC channel, over
 * which it says that it is ready and notices that the launcher is gone.
 */
export class Part {
  readonly #options: PartOptions
  readonly #log: BoundedLog
  readonly #errors: ErrorSummary
  readonly #firstReady = Promise.withResolvers<void>()
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #restart: NodeJS.Timeout | undefined
  #tail: string[] = []
  #wasReady = false
  #stopping = false
  #failures = 0

  constructor(options: PartOptions) {
    this.#options = options
    this.#log = new BoundedLog(join(options.dataDirectory, 'log', `${options.spec.name}.log`))
    this.#errors = new ErrorSummary(options.screen)
    // Whoever waits for it gets the error; nobody has to.
    this.#firstReady.promise.catch(() => undefined)
  }

  get name(): string {
    return this.#options.spec.name
  }

  /**
   * Starts it, and waits until it is ready for the first time.
   * @throws Error with the part's last words when it does not get there.
   */
  async start(): Promise<void> {
    this.#spawn()
    const timer = setTimeout(() => {
      this.#firstReady.reject(new Error(`${this.name} was not ready after ${readyMs / 1000} s; see ${this.#log.path}`))
    }, readyMs)
    try {
      await this.#firstReady.promise
    } finally {
      clearTimeout(timer)
    }
  }

  /** SIGTERM, and SIGKILL when its time is over. */
  async stop(): Promise<void> {
    this.#end('SIGTERM')
    const timer = setTimeout(() => {
      this.#options.screen.line(`  ! ${this.name} does not stop: killed`)
      this.#child?.kill('SIGKILL')
    }, this.#options.spec.stopMs)
    await this.#exited
    clearTimeout(timer)
  }

  async kill(): Promise<void> {
    this.#end('SIGKILL')
    await this.#exited
  }

  #end(signal: NodeJS.Signals): void {
    this.#stopping = true
    clearTimeout(this.#restart)
    this.#firstReady.reject(new Error(`${this.name} was stopped before it was ready`))
    this.#child?.kill(signal)
  }

  #spawn(): void {
    const { spec, dataDirectory } = this.#options
    const began = performance.now()
    // A process group of its own: Ctrl-C in a terminal must not end the parts in whatever order.
    const child = spawn(process.execPath, [spec.main], {
      env: { ...spec.environment, AQUEDUCT_PART_OF: dataDirectory },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    this.#child = child
    this.#tail = []
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      stream.on('data', (chunk: Buffer) => this.#log.write(chunk))
      createInterface({ input: stream }).on('line', (line) => this.#heard(line))
    }
    child.on('message', (message) => {
      if ((message as ReadyMessage).type !== 'ready') return
      this.#wasReady = true
      this.#firstReady.resolve()
    })
    this.#writePidFile(child)
    this.#exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        this.#child = undefined
        rmSync(this.#pidFile, { force: true })
        resolve()
        if (!this.#stopping) this.#crashed(how, performance.now() - began)
      }
      child.once('error', (error) => {
        if (child.pid === undefined) ended(error.message)
      })
      // `close`, not `exit`: its last words are in the log by then.
      child.once('close', (code, signal) => ended(signal === null ? `exit code ${code}` : signal))
    })
  }

  get #pidFile(): string {
    return join(this.#options.dataDirectory, 'run', `${this.name}.pid`)
  }

  #writePidFile(child: ChildProcess): void {
    const identity = child.pid === undefined ? undefined : identify(child.pid)
    if (identity === undefined) return
    // For whoever looks from outside; nothing here depends on it.
    writePidFile(this.#pidFile, { ...identity, fingerprint: '' }).catch(() => undefined)
  }

  #heard(line: string): void {
    this.#tail.push(line)
    if (this.#tail.length > 60) this.#tail.shift()
    this.#errors.take(this.name, line)
  }

  #crashed(how: string, ranMs: number): void {
    this.#failures = ranMs > wellMs ? 1 : this.#failures + 1
    if (!this.#wasReady && this.#failures >= startAttempts) {
      this.#firstReady.reject(
        new Error(`${this.name} does not start (${how}):\n    ${lastWords(this.#tail).join('\n    ')}`),
      )
      return
    }
    const delayMs = backoffMs(this.#failures, backoff)
    this.#options.screen.line(
      `  ! ${this.name} ended by itself (${how}) and is started again in ${(delayMs / 1000).toFixed(1)} s; see ${this.#log.path}`,
    )
    this.#restart = setTimeout(() => this.#spawn(), delayMs)
  }
}

/** Node prints an error's message first and a long tail of its properties after it: the message is what counts. */
function lastWords(lines: readonly string[]): readonly string[] {
  const message = lines.findLastIndex((line) => /^\S*error\b.*: /i.test(line))
  return message === -1 ? lines.slice(-12) : lines.slice(message, message + 12)
}
