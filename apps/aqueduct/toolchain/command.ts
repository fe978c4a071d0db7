import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Environment } from '#libs/config'

export interface CommandOptions {
  readonly environment: Environment
  readonly signal: AbortSignal
  /** Each line of standard output and standard error, as it comes. */
  readonly onLine?: (line: string) => void
}

/** A command that ended badly, with the last lines that it printed. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** `ENOENT`: there is no such program. */
  readonly missing: boolean

  constructor(message: string, missing: boolean) {
    super(message)
    this.missing = missing
  }
}

/** Tools of others get the user's environment (proxies, caches), and nothing of ours: it holds the master key and passwords. */
function withoutOurOwn(environment: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => name !== 'DATABASE_URL' && !name.startsWith('AQUEDUCT_')),
  )
}

/**
 * Runs a command to its end. When `signal` aborts, the command and all that it started are ended.
 * @throws CommandError
 */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<void> {
  options.signal.throwIfAborted()
  // A process group of its own, so that what the command started ends with it.
  const child = spawn(command, [...args], {
    env: withoutOurOwn(options.environment),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      tail.push(line)
      if (tail.length > 15) tail.shift()
      options.onLine?.(line)
    })
  }
  const abort = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
  }
  options.signal.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(new CommandError(`${command}: ${error.message}`, error.code === 'ENOENT')),
      )
      child.once('close', (code, signal) => {
        if (code === 0) return resolve()
        const how = signal === null ? `exit code ${code}` : signal
        reject(new CommandError(`\`${command} ${args.join(' ')}\` failed (${how}):\n${tail.join('\n')}`, false))
      })
    })
  } finally {
    options.signal.removeEventListener('abort', abort)
  }
  options.signal.throwIfAborted()
}
