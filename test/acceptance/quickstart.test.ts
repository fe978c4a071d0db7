import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const home = realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-quickstart-')))
const data = join(home, 'data')
const ports = ['HTTP', 'HTTPS', 'GRPC', 'GRPC_TLS', 'OPERATOR', 'DISCOVERY', 'JOIN', 'PROVISIONER', 'EDGE_HEALTH']

interface Run {
  readonly code: number | null
  readonly output: string
  readonly seconds: number
}

/** `npm run quickstart`, as on a machine where only the programs were fetched before. */
async function quickstart(
  args: readonly string[],
  { settings = {}, stopAt }: { readonly settings?: Readonly<Record<string, string>>; readonly stopAt?: RegExp } = {},
): Promise<Run> {
  const foreign = /^(AQUEDUCT_|DATABASE_URL$|VITEST|npm_)/
  const own = Object.entries(process.env).filter(([name]) => name === 'AQUEDUCT_CACHE' || !foreign.test(name))
  const began = performance.now()
  const child = spawn('npm', ['run', '--silent', 'quickstart', '--', ...args], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: {
      ...Object.fromEntries(own),
      ...Object.fromEntries(ports.map((name) => [`AQUEDUCT_${name}_PORT`, '0'])),
      AQUEDUCT_DATA_DIR: data,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  let stopped = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said.push(chunk.toString())
      if (stopped || stopAt?.test(said.join('')) !== true) return
      stopped = true
      child.kill('SIGTERM')
    })
  }
  const broken = (): void => void child.kill('SIGTERM')
  process.once('exit', broken)
  const [code] = (await once(child, 'close')) as [number | null]
  process.off('exit', broken)
  return { code, output: said.join(''), seconds: (performance.now() - began) / 1000 }
}

/** Living processes that name the data folder in their command line or environment. */
function left(): readonly string[] {
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].some((file) => read(file).includes(data)))
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`)}`)
}

function steps(output: string): readonly string[] {
  return [...output.matchAll(/^([✓✗] \d)\/8 /gm)].map(([, step]) => step ?? '')
}

afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('npm run quickstart -- --exit', () => {
  let run: Run

  beforeAll(async () => {
    run = await quickstart(['--exit'])
    process.stderr.write(`  quickstart on an empty folder: ${run.seconds.toFixed(1)} s\n`)
  })

  it('walks the eight steps, and ends with 0', () => {
    expect(steps(run.output), run.output).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((step) => `✓ ${step}`))
    expect(run.code).toBe(0)
  })

  it('says how everybody else was refused', () => {
    const refusals = run.output.split('\n').filter((line) => line.startsWith('    refused '))
    expect(refusals).toEqual([
      expect.stringMatching(/second tenant's certificate +TLS handshake: .*unknown ca/),
      expect.stringMatching(/second tenant's API key +PERMISSION_DENIED/),
      expect.stringMatching(/nothing at all +UNAUTHENTICATED/),
      expect.stringMatching(/header x-principal: usr-\w+ +UNAUTHENTICATED/),
      expect.stringMatching(/at the API +404/),
    ])
  })

  it('says what a person would type, and where the credentials lie', () => {
    expect(run.output.match(/^ {2}\$ (curl|sed|npx|export) /gm)?.length).toBeGreaterThanOrEqual(12)
    for (const text of [join(data, 'credentials/ca.pem'), 'Next things to try', 'operator.key', '/api-key']) {
      expect(run.output).toContain(text)
    }
  })

  it('shows no secret, and keeps them to its own user', () => {
    expect(run.output).not.toMatch(/eyJ|PRIVATE KEY|aqinv_[\w-]/)
    const folder = join(data, 'quickstart')
    const [tenant = ''] = readdirSync(folder)
    expect(statSync(join(folder, tenant)).mode & 0o777).toBe(0o700)
    const secrets = readdirSync(join(folder, tenant)).filter((name) => /api-key|\.key$/.test(name))
    expect(secrets.length).toBeGreaterThanOrEqual(2)
    for (const name of secrets) expect(statSync(join(folder, tenant, name)).mode & 0o777, name).toBe(0o600)
  })

  it('leaves nothing running', () => {
    expect(left()).toEqual([])
  })

  it('works again on the same data', async () => {
    const again = await quickstart(['--exit'])
    process.stderr.write(`  quickstart on the same folder again: ${again.seconds.toFixed(1)} s\n`)
    expect(steps(again.output), again.output).toHaveLength(8)
    expect(again.code).toBe(0)
    expect(left()).toEqual([])
  })

  it('says what failed and where to look, stops everything, and does not end with 0', async () => {
    // One anonymous call a minute: joining is the first, accepting would be the second. Without --exit, as that must not
    // keep it running.
    const failed = await quickstart([], { settings: { AQUEDUCT_SIGNUP_RATE: '1' } })
    expect(steps(failed.output), failed.output).toEqual(['✓ 1', '✓ 2', '✗ 3'])
    expect(failed.output).toMatch(/What failed: .*429/)
    expect(failed.output).toContain(join(data, 'log/api.log'))
    expect(failed.code).toBe(1)
    expect(left()).toEqual([])
  })

  it('stops in the middle of a step when it is told to, and does not end with 0', async () => {
    // While the sample runs, or just after it on a fast machine.
    const stopped = await quickstart(['--exit'], { stopAt: /^( {2}…|✓) 7\/8/m })
    expect(steps(stopped.output), stopped.output).not.toContain('✓ 8')
    expect(stopped.output).not.toContain('What failed')
    expect(stopped.code).not.toBe(0)
    expect(left()).toEqual([])
  })
})
