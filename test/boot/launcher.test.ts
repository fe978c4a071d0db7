import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findByEnvironment, identify } from '#libs/processes'
import { toolchain } from '../harness/toolchain.ts'

let home: string
let data: string
const launchers: Launcher[] = []

/** A launcher process, and what it says. */
interface Launcher {
  readonly child: ChildProcess
  readonly lines: readonly string[]
  said(pattern: RegExp): Promise<RegExpExecArray>
  signal(signal: NodeJS.Signals): void
  ended(): Promise<number | null>
}

function launch(environment: Readonly<Record<string, string>> = {}): Launcher {
  return run([join(import.meta.dirname, 'fixtures/launcher.ts')], environment)
}

function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Launcher {
  const { temporalServer, temporalSqlTool, envoy } = toolchain()
  const ports = ['HTTP', 'HTTPS', 'GRPC', 'GRPC_TLS', 'OPERATOR', 'DISCOVERY', 'JOIN', 'PROVISIONER', 'EDGE_HEALTH']
  const child = spawn(process.execPath, [...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      TEMPORAL_SERVER: temporalServer,
      TEMPORAL_SQL_TOOL: temporalSqlTool,
      ENVOY: envoy,
      AQUEDUCT_DATA_DIR: data,
      ...Object.fromEntries(ports.map((name) => [`AQUEDUCT_${name}_PORT`, '0'])),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const tell = (): void => {
    for (const look of waiting) look()
  }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      tell()
    })
  }
  const ended = once(child, 'close').then(([code]) => {
    tell()
    return code as number | null
  })
  const launcher: Launcher = {
    child,
    lines,
    signal: (signal) => void child.kill(signal),
    ended: () => ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null)
          if (match !== undefined && match !== null) {
            waiting.delete(look)
            resolve(match)
          } else if (child.exitCode !== null || child.signalCode !== null) {
            reject(new Error(`it ended without saying ${pattern}:\n${lines.join('\n')}`))
          }
        }
        waiting.add(look)
        look()
      }),
  }
  launchers.push(launcher)
  return launcher
}

function events(): readonly string[] {
  return existsSync(join(data, 'events')) ? readFileSync(join(data, 'events'), 'utf8').trim().split('\n') : []
}

function pidOf(name: string): number {
  return (JSON.parse(readFileSync(join(data, 'run', `${name}.pid`), 'utf8')) as { pid: number }).pid
}

function postgresPid(): number {
  return Number(readFileSync(join(data, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0])
}

function mode(name: string): number {
  return statSync(join(data, name)).mode & 0o777
}

function leftParts(): readonly unknown[] {
  return findByEnvironment(`AQUEDUCT_PART_OF=${data}`)
}

/** A node as the local driver would have left it. */
async function startAgent(): Promise<{ readonly agent: number; readonly child: number }> {
  const dir = join(data, 'nodes/node-a')
  mkdirSync(dir, { recursive: true })
  const agent = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/agent.ts')], {
    env: { PATH: process.env.PATH, AQUEDUCT_AGENT_DIR: dir },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  const [child] = (await once(createInterface({ input: agent.stdout }), 'line')) as [string]
  return { agent: agent.pid ?? 0, child: Number(child) }
}

async function query(adminUrl: string, sql: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-boot-')))
  data = join(home, 'data')
})

afterEach(async () => {
  for (const launcher of launchers.splice(0)) {
    if (launcher.child.exitCode === null && launcher.child.signalCode === null) launcher.signal('SIGTERM')
    await launcher.ended()
  }
  if (existsSync(data)) await run(['apps/aqueduct/main.ts', 'reset', '--yes']).ended()
  launchers.length = 0
  rmSync(home, { recursive: true, force: true })
})

describe('the launcher', () => {
  it('starts everything in order, says where it is, and stops it in order', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const addresses = JSON.parse(readFileSync(join(data, 'addresses.json'), 'utf8')) as Record<string, string>
    expect(addresses).toMatchObject({ http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/), caFile: 'ca' })
    const node = await startAgent()
    const postgres = postgresPid()
    launcher.signal('SIGTERM')
    expect(await launcher.ended()).toBe(0)
    expect(events()).toEqual([
      'edge begins',
      'provisioner begins',
      'api begins',
      'api ends',
      'provisioner ends',
      'edge ends',
      'agent ends',
    ])
    expect([postgres, node.agent, node.child].map(identify)).toEqual([undefined, undefined, undefined])
    expect(leftParts()).toEqual([])
    expect(existsSync(join(data, 'addresses.json'))).toBe(false)
  })

  it('keeps data and secrets to its own user', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const modes = ['master.key', 'postgres.json', 'log', 'run', 'postgres'].map((name) => [name, mode(name)])
    expect(Object.fromEntries(modes)).toEqual({
      'master.key': 0o600,
      'postgres.json': 0o600,
      log: 0o700,
      run: 0o700,
      postgres: 0o700,
    })
  })

  it('refuses a second one on the same folder, and says which process has it', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const second = launch()
    await second.said(new RegExp(`^failed Aqueduct already runs on ${data} \\(pid ${launcher.child.pid}:`))
    expect(await second.ended()).toBe(1)
    expect(existsSync(join(data, 'addresses.json'))).toBe(true)
  })

  it('counts Ctrl-C below npm once, although it arrives twice', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    launcher.signal('SIGINT')
    launcher.signal('SIGINT')
    expect(await launcher.ended()).toBe(0)
    expect(events().slice(-3)).toEqual(['api ends', 'provisioner ends', 'edge ends'])
  })

  it('kills a part that does not stop', async () => {
    const launcher = launch({ FIXTURE_STUBBORN: 'provisioner' })
    await launcher.said(/^ready$/)
    launcher.signal('SIGTERM')
    expect(await launcher.ended()).toBe(0)
    expect(events().slice(-3)).toEqual(['api ends', 'provisioner does not listen', 'edge ends'])
    expect(leftParts()).toEqual([])
  })

  it('ends everything at once on a second signal', async () => {
    const launcher = launch({ FIXTURE_STUBBORN: 'api' })
    await launcher.said(/^ready$/)
    const node = await startAgent()
    const pids = [postgresPid(), pidOf('edge'), node.agent, node.child]
    launcher.signal('SIGTERM')
    await launcher.said(/^SIGTERM: stopping/)
    await expect.poll(events).toContain('api does not listen')
    // Later than what counts as the same signal.
    await new Promise((resolve) => setTimeout(resolve, 300))
    launcher.signal('SIGTERM')
    expect(await launcher.ended()).toBe(1)
    expect(events()).not.toContain('edge ends')
    expect(events()).not.toContain('agent ends')
    expect(pids.map(identify)).toEqual(pids.map(() => undefined))
    expect(leftParts()).toEqual([])
  })

  it('starts a part again that ends by itself', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const first = pidOf('api')
    process.kill(first, 'SIGKILL')
    await launcher.said(/! api ended by itself \(SIGKILL\) and is started again/)
    await expect.poll(() => events().filter((event) => event === 'api begins').length, { timeout: 10_000 }).toBe(2)
    expect(pidOf('api')).not.toBe(first)
  })

  it('starts Postgres again when that ends by itself, where it was', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const adminUrl = (await launcher.said(/^admin (.+)/))[1] ?? ''
    await query(adminUrl, 'CREATE TABLE mark (id int)')
    const first = postgresPid()
    process.kill(first, 'SIGKILL')
    await launcher.said(/! Postgres ended by itself/)
    await expect
      .poll(() => query(adminUrl, "SELECT to_regclass('mark')::text AS mark").catch(() => []), { timeout: 20_000 })
      .toEqual([{ mark: 'mark' }])
    expect(postgresPid()).not.toBe(first)
  })

  it('comes back after it was killed outright, with its data, and its parts did not stay', async () => {
    const killed = launch()
    await killed.said(/^ready$/)
    const adminUrl = (await killed.said(/^admin (.+)/))[1] ?? ''
    await query(adminUrl, 'CREATE TABLE mark (id int)')
    const postgres = postgresPid()
    killed.signal('SIGKILL')
    await killed.ended()
    await expect.poll(leftParts, { timeout: 10_000 }).toEqual([])
    expect(events().slice(3).toSorted()).toEqual(['api', 'edge', 'provisioner'].map((name) => `${name} is orphaned`))
    // The cells' data lies there: it stays up while nobody is there to start it again.
    expect(identify(postgres)).toBeDefined()
    const second = launch()
    await second.said(/✓ programs/)
    expect(existsSync(join(data, 'addresses.json'))).toBe(false)
    await second.said(/^ready$/)
    expect((await second.said(/^admin (.+)/))[1]).toBe(adminUrl)
    expect(await query(adminUrl, "SELECT to_regclass('mark')::text AS mark")).toEqual([{ mark: 'mark' }])
    expect(identify(postgres)).toBeUndefined()
  })

  it('gives up when a part never gets ready: shows its last words, and stops the rest', async () => {
    const launcher = launch({ FIXTURE_CRASHES: 'api' })
    expect(await launcher.ended()).toBe(1)
    const said = launcher.lines.join('\n')
    expect(said).toContain('failed api does not start (exit code 1)')
    expect(said).toContain('api has a wrong setting')
    expect(events()).toEqual(['edge begins', 'provisioner begins', 'provisioner ends', 'edge ends'])
    expect(existsSync(join(data, 'postgres/data/postmaster.pid'))).toBe(false)
  })

  it('names a port that is taken, and the variable that changes it', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const launcher = launch({ AQUEDUCT_GRPC_PORT: String(port) })
    expect(await launcher.ended()).toBe(1)
    expect(launcher.lines.join('\n')).toContain(`port ${port} (AQUEDUCT_GRPC_PORT)`)
    server.close()
  })

  it('can be stopped while it starts', async () => {
    const launcher = launch()
    await launcher.said(/✓ database/)
    launcher.signal('SIGINT')
    expect(await launcher.ended()).toBe(0)
    expect(leftParts()).toEqual([])
    expect(existsSync(join(data, 'postgres/data/postmaster.pid'))).toBe(false)
  })

  it('does not make a new master key for old data', async () => {
    const first = launch()
    await first.said(/^ready$/)
    first.signal('SIGTERM')
    await first.ended()
    rmSync(join(data, 'master.key'))
    const second = launch()
    expect(await second.ended()).toBe(1)
    expect(second.lines.join('\n')).toContain('master.key is missing')
  })
})

describe('reset', () => {
  const reset = ['apps/aqueduct/main.ts', 'reset']

  it('refuses while the product runs', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const refused = run([...reset, '--yes'])
    expect(await refused.ended()).toBe(1)
    expect(refused.lines.join('\n')).toContain('stop it first')
    expect(existsSync(join(data, 'addresses.json'))).toBe(true)
  })

  it('asks, unless told not to, and ends what a killed launcher left', async () => {
    const launcher = launch()
    await launcher.said(/^ready$/)
    const node = await startAgent()
    const postgres = postgresPid()
    launcher.signal('SIGKILL')
    await launcher.ended()
    const asking = run(reset)
    expect(await asking.ended()).toBe(1)
    expect(existsSync(data)).toBe(true)
    expect(await run([...reset, '--yes']).ended()).toBe(0)
    expect(existsSync(data)).toBe(false)
    expect([postgres, node.agent, node.child].map(identify)).toEqual([undefined, undefined, undefined])
  })

  it('leaves a folder alone that is not one of its own', async () => {
    mkdirSync(join(data, 'photographs'), { recursive: true })
    const refused = run([...reset, '--yes'])
    expect(await refused.ended()).toBe(1)
    expect(existsSync(join(data, 'photographs'))).toBe(true)
    rmSync(data, { recursive: true })
  })
})
