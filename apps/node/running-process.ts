import { spawn } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { NodeProcess } from '#libs/domain/nodes'
import {
  allGone,
  findByEnvironment,
  findNodeProcesses,
  identify,
  isRunning,
  nodeMark,
  type ProcessIdentity,
  readPidFile,
  signalProcess,
  writePidFile,
} from '#libs/processes'
import { expandDir } from './node-files.ts'

/** A process of the node that lives, started by this agent or by an earlier one. */
export interface RunningProcess {
  readonly identity: ProcessIdentity
  readonly adopted: boolean
  /** Resolves with how it ended: `exit code 1`, `signal SIGKILL`, `ended` when it was not a child of this agent. */
  readonly exited: Promise<string>
}

/** In the environment of a process beside the node's own mark: its name in the manifest. */
const nameMark = 'AQUEDUCT_PROCESS'

/** An adopted process is no child: nobody tells when it ends, so it is looked at this often. */
const pollMs = 200

/** The process that an earlier agent left running, if it runs what the manifest asks for; a different one is ended. */
export async function adopt(dir: string, spec: NodeProcess, fingerprint: string): Promise<RunningProcess | undefined> {
  const file = await readPidFile(pidPath(dir, spec.name))
  if (file !== undefined && file.fingerprint === fingerprint && isRunning(file)) {
    return { identity: file, adopted: true, exited: untilGone(file) }
  }
  for (const identity of leftovers(dir, spec.name)) await end(identity, spec.stopMs)
  return undefined
}

/**
 * Starts the process in a session of its own, so that it outlives the agent, with nothing of the agent's environment.
 * @throws Error when the command cannot be run.
 */
export async function start(dir: string, spec: NodeProcess, fingerprint: string): Promise<RunningProcess> {
  await mkdir(join(dir, 'log'), { recursive: true, mode: 0o700 })
  const log = await open(join(dir, 'log', `${spec.name}.log`), 'a', 0o600)
  try {
    const child = spawn(
      spec.command,
      spec.args.map((arg) => expandDir(arg, dir)),
      { cwd: dir, detached: true, stdio: ['ignore', log.fd, log.fd], env: environment(dir, spec) },
    )
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`))
    })
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    const identity = child.pid === undefined ? undefined : identify(child.pid)
    if (identity === undefined) throw new Error(`it ended at once: ${await exited}`)
    await writePidFile(pidPath(dir, spec.name), { ...identity, fingerprint })
    return { identity, adopted: false, exited }
  } finally {
    await log.close()
  }
}

export async function forget(dir: string, name: string): Promise<void> {
  await rm(pidPath(dir, name), { force: true })
}

/** Processes of this node by that name that live, known by their environment: with or without a pid file. */
function leftovers(dir: string, name: string): readonly ProcessIdentity[] {
  return findByEnvironment(`${nodeMark}=${dir}`, `${nameMark}=${name}`)
}

/** Processes of this node that live and have none of these names: what an earlier manifest asked for. */
export function strangers(dir: string, names: readonly string[]): readonly ProcessIdentity[] {
  const known = names.flatMap((name) => leftovers(dir, name)).map((identity) => identity.pid)
  return findNodeProcesses(dir).filter((identity) => !known.includes(identity.pid))
}

/** SIGTERM, and SIGKILL after `stopMs`. */
export async function end(identity: ProcessIdentity, stopMs: number): Promise<void> {
  if (!signalProcess(identity, 'SIGTERM')) return
  if (await allGone([identity], stopMs)) return
  signalProcess(identity, 'SIGKILL')
  await allGone([identity], Number.POSITIVE_INFINITY)
}

function environment(dir: string, spec: NodeProcess): Record<string, string> {
  const own = Object.entries(spec.env).map(([key, value]) => [key, expandDir(value, dir)] as const)
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    ...Object.fromEntries(own),
    [nodeMark]: dir,
    [nameMark]: spec.name,
  }
}

async function untilGone(identity: ProcessIdentity): Promise<string> {
  while (isRunning(identity)) await delay(pollMs)
  return 'ended'
}

function pidPath(dir: string, name: string): string {
  return join(dir, 'run', `${name}.pid`)
}
