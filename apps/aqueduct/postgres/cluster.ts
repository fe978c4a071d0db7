import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { coerceError } from '#libs/base'
import { commandLine } from '../processes/command-line.ts'
import { until } from '../processes/until.ts'
import { type ServerAccount, serverAccount } from './account.ts'
import { type PostgresBinaries, postgresBinaries } from './binaries.ts'

const run = promisify(execFile)

/** The database role that owns everything; the roles of the parts are made by the migrations. */
const superuser = 'aqueduct'

export interface ClusterOptions {
  /** Absolute. Holds the server's data in `data/` and belongs to the account that the server runs as. */
  readonly directory: string
  readonly port: number
  readonly password: string
  /** `postgresql.conf` settings that differ from Postgres' defaults. */
  readonly settings: Readonly<Record<string, string>>
  /** Gets what the server says, for a log. */
  readonly onOutput: (chunk: Buffer) => void
  /** See `serverAccount`. */
  readonly dieWithParent: boolean
}

/** A running Postgres server that belongs to this process. */
export interface Cluster {
  readonly pid: number
  readonly port: number
  /** Connects the superuser to the database `postgres`. Carries the password: not for logs. */
  readonly adminUrl: string
  /** Settles when the server ended, for whatever reason; the text says how. */
  readonly exited: Promise<string>
  /** Fast: rolls back what is under way and writes a checkpoint. Kills the server if that takes longer than 20 s. */
  stop(): Promise<void>
  /** At once: the next start recovers from the write-ahead log. */
  kill(): void
}

/**
 * Initialises the directory if that did not happen yet, stops a server that an earlier launcher left running on it, and
 * starts one that listens on 127.0.0.1 only.
 * @throws Error with the server's last words when it does not become ready.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const binaries = postgresBinaries()
  mkdirSync(options.directory, { recursive: true, mode: 0o700 })
  const account = serverAccount([binaries.postgres, options.directory], options.dieWithParent)
  if (account.owner !== undefined) chownSync(options.directory, account.owner.uid, account.owner.gid)
  chmodSync(options.directory, 0o700)
  await initialise(options, binaries, account)
  await stopLeftover(options.directory)
  return await start(options, binaries, account)
}

/** The superuser's URL of a database of a cluster. Carries the password: not for logs. */
export function clusterUrl(
  { port, password }: { readonly port: number; readonly password: string },
  database: string,
): string {
  return `postgres://${superuser}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}

/** Makes the data directory beside its place and moves it there, so that a half-made one is never taken for a whole. */
async function initialise(options: ClusterOptions, binaries: PostgresBinaries, account: ServerAccount): Promise<void> {
  const data = join(options.directory, 'data')
  if (existsSync(data)) return
  const unfinished = join(options.directory, 'data.new')
  rmSync(unfinished, { recursive: true, force: true })
  const passwordFile = join(options.directory, 'password.new')
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 })
  if (account.owner !== undefined) chownSync(passwordFile, account.owner.uid, account.owner.gid)
  try {
    const { command, args } = account.wrap(binaries.initdb, [
      `--pgdata=${unfinished}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // Sorts alike on every machine, whatever locales are installed there.
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--lc-messages=C',
      ...(options.settings.fsync === 'off' ? ['--no-sync'] : []),
    ])
    await run(command, [...args], { cwd: options.directory, env: serverEnvironment() })
  } catch (thrown) {
    throw new Error(`Postgres could not be initialised: ${lastWords(coerceError(thrown))}`, { cause: thrown })
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(unfinished, data)
}

/** `initdb` has to be told neither the caller's locale nor its secrets. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}

function lastWords(error: Error): string {
  const stderr = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : ''
  return stderr === '' ? error.message : stderr
}

/** Postgres' own pid file: pid, data directory, start time, port, … and on line 8 the state. */
function readPidFile(directory: string): { readonly pid: number; readonly state: string } | undefined {
  try {
    const lines = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n')
    return { pid: Number(lines[0]), state: (lines[7] ?? '').trim() }
  } catch {
    return undefined
  }
}

function isServerOf(directory: string, pid: number): boolean {
  const line = commandLine(pid)
  return (
    (line?.some((part) => part.endsWith('postgres')) ?? false) && (line?.includes(join(directory, 'data')) ?? false)
  )
}

/** A launcher that was killed outright leaves its server behind: end it the clean way before starting another. */
export async function stopLeftover(directory: string): Promise<void> {
  const found = readPidFile(directory)
  if (found === undefined || !Number.isInteger(found.pid) || found.pid <= 1) return
  if (!isServerOf(directory, found.pid)) {
    // The number belongs to another program by now; the server would take that for itself and refuse to start.
    if (commandLine(found.pid) !== undefined) rmSync(join(directory, 'data', 'postmaster.pid'), { force: true })
    return
  }
  const gone = (): boolean => !isServerOf(directory, found.pid)
  for (const [signal, patienceMs] of [
    ['SIGINT', 20_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    signalIfThere(found.pid, signal)
    if (await until(gone, patienceMs)) return
  }
  throw new Error(`A Postgres server (pid ${found.pid}) still runs on ${directory} and cannot be stopped.`)
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown
  }
}

async function start(options: ClusterOptions, binaries: PostgresBinaries, account: ServerAccount): Promise<Cluster> {
  const settings = {
    ...options.settings,
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    // No socket in a folder that others can see: the password is asked for on every way in.
    unix_socket_directories: '',
    lc_messages: 'C',
  }
  const { command, args } = account.wrap(binaries.postgres, [
    '-D',
    join(options.directory, 'data'),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  // A process group of its own: Ctrl-C in a terminal signals the whole group, and this server has to go last.
  const child = spawn(command, args, {
    cwd: options.directory,
    env: serverEnvironment(),
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const tail: string[] = []
  follow(child.stderr, options.onOutput, tail)
  let ended: string | undefined
  const exited = ending(child).then((how) => {
    ended = how
    return how
  })
  const { pid } = child
  const ready = (): boolean => {
    const file = readPidFile(options.directory)
    return file?.pid === pid && file?.state === 'ready'
  }
  const isReady = await until(() => ended !== undefined || ready(), 60_000)
  if (!isReady || ended !== undefined || pid === undefined) {
    if (ended === undefined) child.kill('SIGQUIT')
    throw new Error(`Postgres did not start (${ended ?? 'not ready after 60 s'}):\n${tail.join('').trim()}`)
  }
  return {
    pid,
    port: options.port,
    adminUrl: clusterUrl(options, 'postgres'),
    exited,
    stop: async () => {
      if (ended !== undefined) return
      child.kill('SIGINT')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await exited
      clearTimeout(timer)
    },
    kill: () => {
      if (ended === undefined) child.kill('SIGKILL')
    },
  }
}

function follow(stream: Readable, onOutput: (chunk: Buffer) => void, tail: string[]): void {
  stream.on('data', (chunk: Buffer) => {
    onOutput(chunk)
    tail.push(chunk.toString('utf8'))
    if (tail.length > 20) tail.shift()
  })
}

function ending(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`))
  })
}
