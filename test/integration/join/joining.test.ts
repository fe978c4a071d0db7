import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findByEnvironment } from '#libs/processes'
import { MetadataServer } from '../../harness/metadata-server.ts'
import { until } from '../../harness/until.ts'
import { JoinFixture, type JoiningNode, manifestOf, standInPort } from './join-fixture.ts'

const agentMain = join(import.meta.dirname, '../../../apps/node/main.ts')
let fixture: JoinFixture
const machines: TestMachine[] = []

beforeAll(async () => {
  fixture = await JoinFixture.start()
})
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.destroy()
})
afterAll(async () => {
  await fixture.stop()
})

/** What the provider would run: the node agent with its folder and its metadata, and nothing else. */
class TestMachine {
  readonly dir: string
  readonly metadata: MetadataServer
  agent: ChildProcess | undefined
  log = ''

  constructor(dir: string, metadata: MetadataServer) {
    this.dir = dir
    this.metadata = metadata
    machines.push(this)
  }

  boot(): void {
    const env = { AQUEDUCT_METADATA_URL: this.metadata.url }
    const agent = spawn(process.execPath, [agentMain, '--join', this.dir], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.agent = agent
    for (const stream of [agent.stdout, agent.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.log += chunk.toString()
      })
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.agent === undefined || this.agent.exitCode !== null || this.agent.signalCode !== null) return
    this.agent.kill(signal)
    await once(this.agent, 'exit')
  }

  async destroy(): Promise<void> {
    await this.end('SIGTERM')
    expect(findByEnvironment(`AQUEDUCT_NODE_DIR=${this.dir}`)).toEqual([])
    await this.metadata.close()
    await rm(this.dir, { recursive: true, force: true })
  }

  read(path: string): Promise<string> {
    return readFile(join(this.dir, path), 'utf8')
  }
}

async function machineOf(node: JoiningNode): Promise<TestMachine> {
  const metadata = await MetadataServer.start({ ...node, userData: await fixture.open(node) })
  return new TestMachine(await mkdtemp(join(tmpdir(), 'joining-')), metadata)
}

/** A node as a reconciler brings it up, ready with its first manifest. */
async function readyNode(): Promise<{ readonly node: JoiningNode; readonly machine: TestMachine }> {
  const node = await fixture.node()
  const machine = await machineOf(node)
  await fixture.see(node)
  machine.boot()
  await fixture.sign(node)
  await fixture.mailbox.put(manifestOf(node, 1, { ownKeyFiles: ['tls/own.key'] }))
  await reported(node, { state: 'ready', generation: 1 })
  return { node, machine }
}

async function reported(node: JoiningNode, expected: { state: string; generation: number }): Promise<void> {
  await until(`the node reports ${JSON.stringify(expected)}`, async () => {
    const report = (await fixture.mailbox.read([node.id])).get(node.id)
    return report?.state === expected.state && report.generation === expected.generation
  })
}

async function answers(node: JoiningNode): Promise<boolean> {
  const socket = connect({ host: node.address, port: standInPort })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

const jobs = async (node: JoiningNode): Promise<number> => {
  const { rowCount } = await fixture.admin.query('select from graphile_worker.jobs where key = $1', [
    `reconcile-node:${node.id}`,
  ])
  return rowCount ?? 0
}

test('a machine joins by what it was launched with, and becomes ready with its manifest', async () => {
  const node = await fixture.node()
  const machine = await machineOf(node)
  // It comes up before the driver has seen it: it is refused, says what to check, and tries again.
  machine.boot()
  await until('it says what to check', () => machine.log.includes('the control plane refuses this machine'))
  expect(await fixture.see(node)).toBe(true)
  const joined = await fixture.sign(node)
  await until('it says where it is', () => machine.log.includes('the machine joined as a node'))
  await reported(node, { state: 'starting', generation: -1 })
  await fixture.mailbox.put(manifestOf(node, 1, { ownKeyFiles: ['tls/own.key'] }))
  await reported(node, { state: 'ready', generation: 1 })
  expect(await answers(node)).toBe(true)
  // Its key was made on the machine, and is where the manifest wants it.
  const key = await machine.read('identity/key.pem')
  expect(await machine.read('tls/own.key')).toBe(key)
  expect((await stat(join(machine.dir, 'identity/key.pem'))).mode & 0o777).toBe(0o600)
  expect((await stat(join(machine.dir, 'tls/own.key'))).mode & 0o777).toBe(0o600)
  const leaf = new X509Certificate(await machine.read('identity/certificate.pem'))
  expect(leaf.toString()).toBe(new X509Certificate(joined.leafPem).toString())
  const { rows } = await fixture.admin.query('select key_sealed from certificates where node_id = $1', [node.id])
  expect(rows).toEqual([{ key_sealed: null }])
  for (const text of [machine.log, fixture.edge.log]) {
    expect(text).not.toContain(node.token)
    expect(text).not.toContain('PRIVATE KEY')
  }
})

test('a node hears of another manifest at once, and its reconciler of the change', async () => {
  const { node, machine } = await readyNode()
  await fixture.admin.query('delete from graphile_worker._private_jobs')
  const began = performance.now()
  await fixture.mailbox.put(manifestOf(node, 2))
  await reported(node, { state: 'ready', generation: 2 })
  expect(performance.now() - began).toBeLessThan(5_000)
  expect(await jobs(node)).toBe(1)
  expect(await machine.read('config/secret.txt')).toBe('generation 2')
  // No manifest names it any more.
  await expect(machine.read('tls/own.key')).rejects.toThrow('ENOENT')
  // One that comes late changes nothing.
  await fixture.mailbox.put(manifestOf(node, 1))
  await fixture.mailbox.put(manifestOf(node, 3))
  await reported(node, { state: 'ready', generation: 3 })
})

test('an agent that is started again is the same node, and finds its processes', async () => {
  const { node, machine } = await readyNode()
  const key = await machine.read('identity/key.pem')
  const pid = await machine.read('run/stand-in.pid')
  await machine.end('SIGKILL')
  expect(await answers(node)).toBe(true)
  // Whatever the user data says by now.
  machine.metadata.texts.set('user-data', 'nothing')
  machine.metadata.forgetTokens()
  machine.boot()
  await fixture.mailbox.put(manifestOf(node, 2))
  await reported(node, { state: 'ready', generation: 2 })
  expect(await machine.read('identity/key.pem')).toBe(key)
  expect(await machine.read('run/stand-in.pid')).toBe(pid)
})

test('an agent that dies before its certificate came asks for it with the same key', async () => {
  const node = await fixture.node()
  const machine = await machineOf(node)
  await fixture.see(node)
  machine.boot()
  await until('it waits', () => machine.log.includes('is being signed'))
  const key = await machine.read('identity/key.pem')
  await machine.end('SIGKILL')
  await fixture.sign(node)
  machine.boot()
  await reported(node, { state: 'starting', generation: -1 })
  expect(await machine.read('identity/key.pem')).toBe(key)
})

test('a node goes on without the control plane, and starts without it', async () => {
  const { node, machine } = await readyNode()
  await fixture.edge.stop()
  try {
    await until('it notices', () => machine.log.includes('goes on with the one that it has'))
    expect(await answers(node)).toBe(true)
    // The machine itself restarts: nothing runs.
    await machine.end('SIGTERM')
    expect(await answers(node)).toBe(false)
    machine.boot()
    await until('it runs again', () => answers(node))
    await fixture.mailbox.put(manifestOf(node, 2))
  } finally {
    await fixture.edge.start()
  }
  await reported(node, { state: 'ready', generation: 2 })
})

test('what the provider tells the machine alone, the control plane hears', async () => {
  const { node, machine } = await readyNode()
  await fixture.admin.query('delete from graphile_worker._private_jobs')
  machine.metadata.interrupt('2030-01-02T03:04:05Z')
  const notice = await until(
    'the notice arrives',
    async () => (await fixture.mailbox.read([node.id])).get(node.id)?.notice,
  )
  expect(notice).toEqual({ kind: 'interruption', at: new Date('2030-01-02T03:04:05Z'), detail: 'spot-terminate' })
  expect(await jobs(node)).toBe(1)
})

test('a node that says nothing new is heard now and then, and wakes nobody', async () => {
  const { node } = await readyNode()
  await fixture.admin.query('delete from graphile_worker._private_jobs')
  const receivedAt = async () => (await fixture.mailbox.read([node.id])).get(node.id)?.at.getTime() ?? 0
  const before = await receivedAt()
  await until('it is heard again', async () => (await receivedAt()) > before, 20_000)
  expect(await jobs(node)).toBe(0)
})

test('a copy of the node’s disk makes no second node', async () => {
  const { node, machine } = await readyNode()
  await machine.end('SIGKILL')
  machine.metadata.texts.set('meta-data/instance-id', 'i-another')
  machine.boot()
  await until('it ends', () => machine.agent?.exitCode === 4)
  expect(machine.log).toContain('the folder is of another machine')
  // A provider that says nothing is no reason to stop a node.
  machine.metadata.texts.delete('meta-data/instance-id')
  machine.boot()
  await fixture.mailbox.put(manifestOf(node, 2))
  await reported(node, { state: 'ready', generation: 2 })
})
