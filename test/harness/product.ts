import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What `<data>/addresses.json` says: URLs, `host:port` for gRPC, and the files that callers need. */
export interface ProductAddresses {
  readonly http: string
  readonly https: string
  readonly grpc: string
  readonly grpcTls: string
  readonly operator: string
  readonly discovery: string
  readonly join: string
  readonly caFile: string
  readonly operatorCertificateFile: string
  readonly operatorKeyFile: string
}

/** The whole product as a customer runs it: `npm start` on a data folder. */
export interface Product {
  readonly dataDirectory: string
  readonly addresses: ProductAddresses
  /** From the command to ready, in milliseconds. */
  readonly startMs: number
  readonly alive: boolean
  /** What it said on its terminal so far. */
  output(): string
  /**
   * Ends it as Ctrl-C does; the data stays.
   * @throws Error when it does not end with exit code 0, or leaves a process behind.
   */
  stop(): Promise<void>
}

export interface ProductOptions {
  /** One that an earlier product left; otherwise a new one. Give it to `removeData` in the end. */
  readonly dataDirectory?: string
  readonly env?: Readonly<Record<string, string>>
}

const startLimitMs = 120_000
const stopLimitMs = 90_000
const portNames = ['HTTP', 'HTTPS', 'GRPC', 'GRPC_TLS', 'OPERATOR', 'DISCOVERY', 'JOIN', 'PROVISIONER', 'EDGE_HEALTH']

/** @throws Error with what it said and what its parts logged, when it does not get ready. */
export async function startProduct({ dataDirectory, env }: ProductOptions = {}): Promise<Product> {
  const data = dataDirectory ?? join(realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-acceptance-'))), 'data')
  const began = performance.now()
  const said: string[] = []
  const child = spawn(process.execPath, ['apps/aqueduct/main.ts', 'start'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: { ...environment(), AQUEDUCT_DATA_DIR: data, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk.toString()))
  // Whoever started it may be killed: nobody would stop it then.
  const broken = (): void => void child.kill('SIGTERM')
  process.once('exit', broken)
  const alive = (): boolean => child.exitCode === null && child.signalCode === null
  const file = join(data, 'addresses.json')
  const deadline = began + startLimitMs
  while (!existsSync(file)) {
    if (!alive() || performance.now() > deadline) {
      child.kill('SIGTERM')
      throw new Error(`the product does not get ready:\n${said.join('')}\n${lastWords(data)}`)
    }
    await delay(20)
  }
  return {
    dataDirectory: data,
    addresses: JSON.parse(readFileSync(file, 'utf8')) as ProductAddresses,
    startMs: performance.now() - began,
    get alive() {
      return alive()
    },
    output: () => said.join(''),
    stop: async () => {
      const code = await end(child)
      process.off('exit', broken)
      if (code !== 0) throw new Error(`the product ended with ${code}:\n${said.join('')}\n${lastWords(data)}`)
      const left = processesOf(data)
      if (left.length > 0) throw new Error(`the product left processes behind:\n${left.join('\n')}`)
    },
  }
}

/** Removes what `startProduct` made, once the product has stopped. */
export function removeData(dataDirectory: string): void {
  rmSync(resolve(dataDirectory, '..'), { recursive: true, force: true })
}

/** The end of every log of the product's parts and nodes. */
function lastWords(dataDirectory: string): string {
  return logFiles(dataDirectory)
    .map((file) => `--- ${file}\n${readFileSync(file, 'utf8').slice(-2_000)}`)
    .join('\n')
}

/** Every log file of the product: its parts', and its nodes'. */
export function logFiles(dataDirectory: string): readonly string[] {
  const nodes = entries(join(dataDirectory, 'nodes')).map((node) => join(dataDirectory, 'nodes', node, 'log'))
  return [join(dataDirectory, 'log'), ...nodes].flatMap((folder) => entries(folder).map((name) => join(folder, name)))
}

/** Nothing of the tester's own settings, except where programs are found and cached. */
function environment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(
    ([name]) => name === 'AQUEDUCT_CACHE' || !/^(AQUEDUCT_|DATABASE_URL$|VITEST)/.test(name),
  )
  return { ...Object.fromEntries(own), ...Object.fromEntries(portNames.map((name) => [`AQUEDUCT_${name}_PORT`, '0'])) }
}

async function end(child: ChildProcess): Promise<number | NodeJS.Signals | 'nothing in time'> {
  if (child.exitCode === null && child.signalCode === null) {
    const closed = once(child, 'exit')
    child.kill('SIGTERM')
    const inTime = await Promise.race([closed, delay(stopLimitMs, undefined, { ref: false })])
    if (inTime === undefined) return 'nothing in time'
  }
  return child.exitCode ?? child.signalCode ?? 'nothing in time'
}

/** Living processes with the data folder in their command line or environment, as `pid command line`. */
function processesOf(data: string): readonly string[] {
  return entries('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      const command = read(`/proc/${pid}/cmdline`)
      const marked = [command, read(`/proc/${pid}/environ`)].some((text) => text.includes(data))
      return marked ? [`${pid} ${command.replaceAll('\0', ' ')}`] : []
    })
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
