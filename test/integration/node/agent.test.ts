import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeManifest, NodeProcess, NodeStatus } from '#libs/domain/nodes'
import { findByEnvironment, identify, isRunning } from '#libs/processes'

const agentMain = join(import.meta.dirname, '../../../apps/node/main.ts')
// Of nobody else: the local driver's own prefixes begin at 127.64.
const address = `127.60.${process.pid % 256}.7`

let dir: string
const agents: ChildProcess[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-'))
})

afterEach(async () => {
  for (const agent of agents.splice(0)) {
    if (agent.exitCode !== null || agent.signalCode !== null) continue
    agent.kill('SIGTERM')
    agent.kill('SIGTERM')
    await once(agent, 'exit')
  }
  expect(findByEnvironment(`AQUEDUCT_NODE_DIR=${dir}`)).toEqual([])
  await rm(dir, { recursive: true, force: true })
})

/** Listens on a port, and writes down when it starts and ends; `stubborn` ones do not heed SIGTERM. */
function listener(name: string, port: number, change: Partial<NodeProcess> & { stubborn?: boolean } = {}): NodeProcess {
  const { stubborn, ...rest } = change
  const log = `require('node:fs').appendFileSync('events', '${name} ' + what + '\\n')`
  const script = [
    `const note = (what) => ${log}`,
    `require('node:net').createServer((s) => s.end()).listen(${port}, '${address}', () => note('starts'))`,
    `process.on('SIGTERM', () => { note('ends'); ${stubborn === true ? '' : 'process.exit(0)'} })`,
  ].join(';')
  return {
    name,
    command: process.execPath,
    args: ['-e', script],
    env: {},
    restartOn: [],
    readyPort: port,
    stopMs: 5_000,
    ...rest,
  }
}

async function write(manifest: Partial<NodeManifest>): Promise<void> {
  const whole = { nodeId: 'node-1', cellId: 'cell-1', generation: 1, address, files: [], processes: [], ...manifest }
  await writeFile(join(dir, 'manifest.tmp'), JSON.stringify(whole))
  await rename(join(dir, 'manifest.tmp'), join(dir, 'manifest.json'))
}

function startAgent(): ChildProcess {
  const agent = spawn(process.execPath, [agentMain, dir], { stdio: 'ignore', env: {} })
  agents.push(agent)
  return agent
}

async function status(): Promise<NodeStatus> {
  return JSON.parse(await readFile(join(dir, 'status.json'), 'utf8')) as NodeStatus
}

const until = (expected: object): Promise<void> =>
  vi.waitFor(async () => expect(await status()).toMatchObject(expected), { timeout: 20_000, interval: 10 })

async function pidOf(name: string): Promise<number> {
  return (await status()).processes.find((process) => process.name === name)?.pid ?? -1
}

async function events(): Promise<readonly string[]> {
  return (await readFile(join(dir, 'events'), 'utf8')).trim().split('\n')
}

test('starts in order, and stops in the opposite order', async () => {
  await write({ processes: [listener('one', 7001), listener('two', 7002)] })
  const agent = startAgent()
  await until({ state: 'ready', generation: 1, detail: '' })
  expect(await events()).toEqual(['one starts', 'two starts'])
  agent.kill('SIGTERM')
  await once(agent, 'exit')
  expect(await events()).toEqual(['one starts', 'two starts', 'two ends', 'one ends'])
  expect(await status()).toMatchObject({ state: 'stopped' })
})

test('ends at once on a second SIGTERM', async () => {
  await write({ processes: [listener('one', 7001, { stubborn: true, stopMs: 60_000 })] })
  const agent = startAgent()
  await until({ state: 'ready' })
  agent.kill('SIGTERM')
  await vi.waitFor(async () => expect(await events()).toContain('one ends'), { interval: 10 })
  expect(agent.exitCode).toBeNull()
  agent.kill('SIGTERM')
  await once(agent, 'exit')
})

test('is one a folder', async () => {
  await write({ processes: [listener('one', 7001)] })
  startAgent()
  await until({ state: 'ready' })
  const [code] = await once(startAgent(), 'exit')
  expect(code).toBe(3)
  expect(await events()).toEqual(['one starts'])
})

test('restarts what its change needs, and leaves the rest alone', async () => {
  const file = (path: string, content: string) => ({ path, content, secret: true })
  const processes = [
    listener('one', 7001, { restartOn: ['config/one'] }),
    listener('two', 7002, { restartOn: ['config/two'] }),
  ]
  await write({ processes, files: [file('config/one', 'a'), file('config/two', 'a'), file('config/live', 'in {dir}')] })
  const agent = startAgent()
  await until({ state: 'ready' })
  expect(await readFile(join(dir, 'config/live'), 'utf8')).toBe(`in ${dir}`)
  const [one, two] = [await pidOf('one'), await pidOf('two')]
  await write({ generation: 2, processes, files: [file('config/one', 'a'), file('config/two', 'b')] })
  agent.kill('SIGHUP')
  await until({ state: 'ready', generation: 2 })
  expect(await pidOf('one')).toBe(one)
  expect(await pidOf('two')).not.toBe(two)
  await expect(stat(join(dir, 'config/live'))).rejects.toMatchObject({ code: 'ENOENT' })
  // An older one is not taken up.
  await write({ generation: 1, processes: [] })
  agent.kill('SIGHUP')
  await write({ generation: 3, processes: processes.slice(0, 1), files: [file('config/one', 'a')] })
  await until({ state: 'ready', generation: 3, processes: [{ name: 'one', pid: one }] })
  expect(await events()).toEqual(['one starts', 'two starts', 'two ends', 'two starts', 'two ends'])
})

test('adopts what lives, ends what is not asked for, and kills nobody by a recycled pid', async () => {
  const bystander = spawn('sleep', ['60'])
  await once(bystander, 'spawn')
  const stranger = identify(bystander.pid ?? 0)
  if (stranger === undefined) throw new Error('sleep does not live')
  const [one, two, three] = [listener('one', 7001), listener('two', 7002), listener('three', 7003)]
  await write({ processes: [one, two, three, listener('four', 7004)] })
  const agent = startAgent()
  await until({ state: 'ready' })
  const before = { one: await pidOf('one'), two: await pidOf('two'), three: await pidOf('three') }
  agent.kill('SIGKILL')
  await once(agent, 'exit')
  // `two` has changed, `four` is not asked for; the pid of `three` was given to somebody else meanwhile.
  await write({ generation: 2, processes: [one, { ...two, env: { A: 'b' } }, three] })
  const file: unknown = JSON.parse(await readFile(join(dir, 'run/three.pid'), 'utf8'))
  await writeFile(join(dir, 'run/three.pid'), JSON.stringify({ ...(file as object), pid: stranger.pid }))
  startAgent()
  await until({ state: 'ready', generation: 2 })
  expect(await pidOf('one')).toBe(before.one)
  expect(await pidOf('two')).not.toBe(before.two)
  expect([before.three, stranger.pid]).not.toContain(await pidOf('three'))
  expect(isRunning(stranger)).toBe(true)
  expect(findByEnvironment(`AQUEDUCT_NODE_DIR=${dir}`)).toHaveLength(3)
  bystander.kill('SIGKILL')
  await once(bystander, 'exit')
})

test('keeps trying what dies, says why, and goes on to a manifest that works', async () => {
  const broken = listener('one', 7001, { args: ['-e', "console.error('no such database'); process.exit(7)"] })
  await write({ processes: [broken] })
  startAgent()
  await vi.waitFor(
    async () =>
      expect(await status()).toMatchObject({
        state: 'failed',
        detail: expect.stringMatching(/exit code 7.*no such database/),
      }),
    { timeout: 25_000, interval: 20 },
  )
  await write({ generation: 2, processes: [listener('one', 7001)] })
  await until({ state: 'ready', generation: 2, detail: '' })
})

test('says that a manifest cannot be read, and runs on', async () => {
  await write({ processes: [listener('one', 7001)] })
  startAgent()
  await until({ state: 'ready' })
  await write({ generation: 2, files: [{ path: '../outside', content: '', secret: false }] })
  await until({ generation: 1, detail: expect.stringContaining('plain path') })
  await expect(stat(join(dir, '../outside'))).rejects.toMatchObject({ code: 'ENOENT' })
  await write({ generation: 2, processes: [listener('one', 7001)] })
  await until({ generation: 2, state: 'ready', detail: '' })
  expect(await events()).toEqual(['one starts'])
})

test('ends with its folder', async () => {
  await write({ processes: [listener('one', 7001)] })
  const agent = startAgent()
  await until({ state: 'ready' })
  const one = identify(await pidOf('one'))
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir)
  await once(agent, 'exit')
  if (one === undefined) throw new Error('it did not live')
  expect(isRunning(one)).toBe(false)
})

test('does not follow a link out of its folder', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'outside-'))
  await symlink(outside, join(dir, 'config'))
  await write({ files: [{ path: 'config/x', content: 'x', secret: false }] })
  startAgent()
  await until({ state: 'starting', detail: expect.stringContaining('is not a folder') })
  await expect(stat(join(outside, 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
  await rm(outside, { recursive: true })
})
