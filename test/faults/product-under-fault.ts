import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client } from 'pg'
import { identify, isRunning, type ProcessIdentity, readPidFile, signalProcess } from '#libs/processes'
import { type Product, type ProductAddresses, removeData, startProduct } from '../harness/product.ts'
import { until } from '../harness/until.ts'

export type PartName = 'api' | 'edge' | 'provisioner'
export type NodeProgram = 'agent' | 'temporal' | 'envoy'

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly text: string
}

/** A provisioner that the test started beside the launcher's own, with the very same environment. */
export interface Replica {
  readonly identity: ProcessIdentity
  /** How it ended: the signal, or the exit code. */
  readonly ended: Promise<NodeJS.Signals | number | null>
  log(): readonly LogLine[]
  /** Calls of a step that it made, by its own count. */
  steps(step: string): Promise<{ readonly calls: number; readonly failures: number }>
  stop(): Promise<void>
}

/** The whole product, and hands on its processes: what happens to a process here happens for real. */
export class ProductUnderFault {
  #product: Product
  #keep = false
  readonly #children = new Set<ChildProcess>()

  private constructor(product: Product) {
    this.#product = product
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<ProductUnderFault> {
    return new ProductUnderFault(await startProduct({ env: { AQUEDUCT_SIGNUP_RATE: '10000', ...env } }))
  }

  get data(): string {
    return this.#product.dataDirectory
  }

  get addresses(): ProductAddresses {
    return this.#product.addresses
  }

  /** What the launcher said. */
  get output(): string {
    return this.#product.output()
  }

  part(name: PartName | 'launcher'): Promise<ProcessIdentity | undefined> {
    return living(join(this.data, 'run', `${name}.pid`))
  }

  program(nodeId: string, name: NodeProgram): Promise<ProcessIdentity | undefined> {
    return living(join(this.data, 'nodes', nodeId, 'run', `${name}.pid`))
  }

  postgres(): ProcessIdentity | undefined {
    const file = join(this.data, 'postgres/data/postmaster.pid')
    return existsSync(file) ? identify(Number(readFileSync(file, 'utf8').split('\n')[0])) : undefined
  }

  /** Signals a process of the product, by its identity. @throws Error when it does not live */
  signal(identity: ProcessIdentity | undefined, signal: NodeJS.Signals): void {
    if (identity === undefined || !signalProcess(identity, signal)) throw new Error(`nothing there to get ${signal}`)
  }

  /** Kills it, and waits until it is gone. */
  async kill(identity: ProcessIdentity | undefined): Promise<void> {
    this.signal(identity, 'SIGKILL')
    if (identity !== undefined) await until('it is gone', () => !isRunning(identity))
  }

  log(part: PartName): readonly LogLine[] {
    return parse(readFileSync(join(this.data, 'log', `${part}.log`), 'utf8').split('\n'))
  }

  /** As the superuser, in the product's own database. The caller ends it. */
  async admin(): Promise<Client> {
    const client = new Client({ connectionString: this.adminUrl })
    await client.connect()
    // A test that kills Postgres asks again with another client.
    client.on('error', () => undefined)
    return client
  }

  get adminUrl(): string {
    const { port, password } = JSON.parse(readFileSync(join(this.data, 'postgres.json'), 'utf8')) as {
      readonly port: number
      readonly password: string
    }
    return `postgres://aqueduct:${encodeURIComponent(password)}@127.0.0.1:${port}/aqueduct`
  }

  /**
   * Starts another provisioner, as a second machine would have it: the launcher knows nothing of it.
   * @param crashAt `<step>:before|after` at which it kills itself.
   */
  async replica(crashAt = ''): Promise<Replica> {
    const own = await this.part('provisioner')
    if (own === undefined) throw new Error('the launcher has no provisioner whose environment could be copied')
    const environment = readFileSync(`/proc/${own.pid}/environ`, 'utf8').split('\0').filter(Boolean)
    const child = spawn(process.execPath, ['apps/provisioner/main.ts'], {
      cwd: join(import.meta.dirname, '../..'),
      env: {
        ...Object.fromEntries(environment.map((entry) => entry.split(/=(.*)/s).slice(0, 2))),
        NODE_CHANNEL_FD: undefined,
        AQUEDUCT_PROVISIONER_PORT: '0',
        AQUEDUCT_CRASH_AT_FOR_TESTS_ONLY: crashAt,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#children.add(child)
    const lines: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    const ended = once(child, 'exit').then(([code, signal]) => {
      this.#children.delete(child)
      return (signal ?? code) as NodeJS.Signals | number | null
    })
    const identity = child.pid === undefined ? undefined : identify(child.pid)
    if (identity === undefined) throw new Error(`the provisioner ended at once: ${lines.join('\n')}`)
    const port = async () => {
      const found = await until('the provisioner is ready', () => lines.find((line) => line.includes('"msg":"ready"')))
      return (JSON.parse(found) as { readonly port: number }).port
    }
    // One that is to crash may do so before it is ready.
    if (crashAt === '') await port()
    return {
      identity,
      ended,
      log: () => parse(lines),
      steps: async (step) => stepsIn(`http://127.0.0.1:${await port()}`, step),
      stop: async () => {
        child.kill('SIGTERM')
        await ended
      },
    }
  }

  /** Calls of a step that the launcher's own provisioner made. */
  steps(step: string): Promise<{ readonly calls: number; readonly failures: number }> {
    const { provisioner } = this.addresses as ProductAddresses & { readonly provisioner: string }
    return stepsIn(provisioner, step)
  }

  /** Kills the launcher, nothing else. Its parts notice that by themselves. */
  async killLauncher(): Promise<void> {
    await this.kill(await this.part('launcher'))
  }

  /** `npm start` again on the same data. The ports are other ones. */
  async startAgain(): Promise<void> {
    // `startProduct` waits for it, and a launcher that was killed leaves it.
    rmSync(join(this.data, 'addresses.json'), { force: true })
    this.#product = await startProduct({ dataDirectory: this.data })
  }

  /** Ends everything. @throws Error when a process is left behind */
  async stop(): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    for (const name of ['provisioner', 'edge', 'api'] as const) {
      const part = await this.part(name)
      if (part !== undefined) signalProcess(part, 'SIGCONT')
    }
    await this.#product.stop()
    if (this.#keep) process.stderr.write(`The product's logs are kept in ${this.data}\n`)
    else removeData(this.data)
  }

  /** Its logs are of use: a test failed. */
  keepData(): void {
    this.#keep = true
  }
}

async function living(file: string): Promise<ProcessIdentity | undefined> {
  const found = await readPidFile(file)
  return found !== undefined && isRunning(found) ? found : undefined
}

function parse(lines: readonly string[]): readonly LogLine[] {
  return lines.flatMap((text) => {
    if (!text.startsWith('{')) return []
    const { level, msg } = JSON.parse(text) as { readonly level: string; readonly msg: string }
    return [{ level, msg, text }]
  })
}

async function stepsIn(url: string, step: string): Promise<{ readonly calls: number; readonly failures: number }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const value = (name: string) =>
    Number(new RegExp(`^${name}\\{[^}]*step="${step}"[^}]*\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return {
    calls: value('aqueduct_provisioner_step_seconds_count'),
    failures: value('aqueduct_provisioner_step_failures_total'),
  }
}
