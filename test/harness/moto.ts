import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { pythonEnvironment } from './python-environment.ts'

/** Moto's server: AWS in memory. What one test file makes, another never sees: each has a server of its own. */
export interface Moto {
  /** Base URL of every service: `http://127.0.0.1:41234`. Any credentials will do. */
  readonly url: string
  readonly pid: number
  /** Forgets everything that was made in it. */
  reset(): Promise<void>
  stop(): Promise<void>
}

/** The Python interpreter of an environment with Moto, and with cfn-lint, which Moto brings: `-m moto.server`, `-m cfnlint`. */
export function motoPython(): Promise<string> {
  return pythonEnvironment({ name: 'moto', version: '5.2.5', requirements: 'moto.requirements.txt' })
}

const startTimeoutMs = 60_000

/**
 * Starts a server on a free loopback port, and returns when it answers.
 * @throws Error with what it printed
 */
export async function startMoto(): Promise<Moto> {
  const python = await motoPython()
  // Port 0: the system picks one, and the server says which. A set MOTO_PORT keeps it from taking 0 for the port.
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    env: { PATH: process.env.PATH, MOTO_PORT: '5000', PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // A test run that is broken off takes its server with it.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const said: string[] = []
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const reallyNow = setTimeout(kill, 5_000)
    await exited
    clearTimeout(reallyNow)
  }
  try {
    const url = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`it said nothing of its port:\n${said.join('\n')}`)),
        startTimeoutMs,
      )
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`it ended:\n${said.join('\n')}`)))
      createInterface({ input: child.stderr }).on('line', (line) => {
        // Later lines are its access log: nobody reads that.
        if (said.length < 200) said.push(line)
        const [, found] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? []
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      })
    })
    await reset(url)
    return { url, pid: child.pid ?? 0, reset: () => reset(url), stop }
  } catch (thrown) {
    await stop()
    throw new Error('Moto did not start', { cause: thrown })
  }
}

async function reset(url: string): Promise<void> {
  const answer = await fetch(`${url}/moto-api/reset`, { method: 'POST' })
  await answer.body?.cancel()
  if (!answer.ok) throw new Error(`Moto answers ${answer.status}`)
}
