import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { edgeFiles, envoyArgs, type NexusRouterOptions, renderBootstrap } from '#libs/domain/edges'
import { toolchain } from './toolchain.ts'

/** A real Envoy in a node's folder, as the node agent runs it. */
export interface TestEnvoy {
  readonly pid: number
  /** Everything that it logged, of all starts. */
  log(): string
  /** Kills it, so that nothing is put in order, and starts it again on the files that are there. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param dir a node's folder in which `EdgeCopy.prepare` or `followEdge` has made its files.
 * @param nexus where it routes Nexus operations; absent: nowhere.
 */
export async function startEnvoy(dir: string, nexus?: NexusRouterOptions): Promise<TestEnvoy> {
  const { envoy: command } = toolchain()
  mkdirSync(join(dir, 'edge'), { recursive: true })
  const options = { nodeId: 'node-test', cellId: 'cell-test', ...(nexus === undefined ? {} : { nexus }) }
  const bootstrap = renderBootstrap(options).replaceAll('{dir}', dir)
  writeFileSync(join(dir, edgeFiles.bootstrap), bootstrap)
  // The keys are the test's: Envoy may say why it refuses a configuration.
  const args = envoyArgs(2).map((arg) => (arg === 'config:error' ? 'config:warning' : arg.replaceAll('{dir}', dir)))
  const logPath = join(dir, 'envoy.log')
  let child = start(command, args, dir, logPath)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  // A test run that is broken off takes its Envoy with it.
  process.once('exit', () => child.kill('SIGKILL'))
  return {
    get pid() {
      return child.pid ?? 0
    },
    log: () => readFileSync(logPath, 'utf8'),
    restart: async () => {
      await end('SIGKILL')
      child = start(command, args, dir, logPath)
    },
    stop: () => end('SIGTERM'),
  }
}

function start(program: string, args: readonly string[], dir: string, logPath: string): ChildProcess {
  const log = openSync(logPath, 'a')
  try {
    return spawn(program, args, { cwd: dir, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}
