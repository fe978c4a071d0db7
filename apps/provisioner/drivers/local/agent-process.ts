import { spawn } from 'node:child_process'
import { mkdir, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  agentMark,
  agentPidFile,
  allGone,
  findAgents,
  findNodeProcesses,
  isRunning,
  readPidFile,
  signalProcess,
} from '#libs/processes'
import { DriverError } from '../contract.ts'

export interface AgentCommand {
  /** The node's folder. */
  readonly dir: string
  readonly agentMain: string
  readonly nodeBinary: string
  readonly logLevel: string
}

const startMs = 15_000

/**
 * Makes an agent run the node in `dir`, and look at its manifest now. Returns when the agent has the folder: its pid
 * file names a living process. An agent that is there is left alone, but for the hint.
 * @throws DriverError of kind `not_ready` when the agent ends or says nothing.
 */
export async function startAgent(command: AgentCommand): Promise<void> {
  const pidFile = agentPidFile(command.dir)
  const running = await readPidFile(pidFile)
  if (running !== undefined && signalProcess(running, 'SIGHUP')) return
  await mkdir(join(command.dir, 'log'), { recursive: true, mode: 0o700 })
  const log = await open(join(command.dir, 'log', 'agent.log'), 'a', 0o600)
  try {
    const child = spawn(command.nodeBinary, [command.agentMain, command.dir], {
      cwd: '/',
      // A session of its own: what ends the provisioner, a terminal's Ctrl-C among it, does not reach the node.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        [agentMark]: await realpath(command.dir),
        AQUEDUCT_LOG_LEVEL: command.logLevel,
      },
    })
    let ended: string | undefined
    child.once('error', (error) => {
      ended = error.message
    })
    child.once('exit', (code, signal) => {
      ended = `it ended with ${signal ?? code}`
    })
    child.unref()
    const deadline = performance.now() + startMs
    for (;;) {
      const agent = await readPidFile(pidFile)
      if (agent !== undefined && isRunning(agent)) return
      if (ended !== undefined || performance.now() > deadline) {
        throw new DriverError('not_ready', `the agent in ${command.dir} does not start: ${ended ?? 'it says nothing'}`)
      }
      await delay(20)
    }
  } finally {
    await log.close()
  }
}

/** Ends the agent, by itself or not, and whatever of the node's processes is left after that. */
export async function endAgent(dir: string, processesStopMs: number): Promise<void> {
  const real = await realpath(dir).catch(() => dir)
  const graceMs = processesStopMs + 5_000
  for (const agent of await findAgents(real)) {
    signalProcess(agent, 'SIGTERM')
    if (await allGone([agent], graceMs)) continue
    signalProcess(agent, 'SIGKILL')
    await allGone([agent], 5_000)
  }
  const left = findNodeProcesses(real)
  for (const identity of left) signalProcess(identity, 'SIGKILL')
  if (await allGone(left, 5_000)) return
  const stubborn = left.filter(isRunning).map((identity) => identity.pid)
  throw new DriverError('unknown', `processes of ${dir} do not end: ${stubborn.join(', ')}`)
}
