import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { newId } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import type { NodeDriver } from './contract.ts'
import { FakeDriver } from './fake/driver.ts'
import { LocalDriver } from './local/driver.ts'

const port = 7_233
const agentMain = join(import.meta.dirname, '../../node/main.ts')

/** A process that listens and does nothing else. */
function manifestOf(nodeId: string, address: string, generation = 1): NodeManifest {
  const serve = `require('node:net').createServer((s) => s.end()).listen(${port}, '${address}')`
  return {
    nodeId,
    cellId: 'cell-contract',
    generation,
    address,
    files: [{ path: 'config/secret.txt', content: `generation ${generation}`, secret: true }],
    processes: [
      {
        name: 'stand-in',
        command: process.execPath,
        args: ['-e', serve],
        env: {},
        restartOn: ['config/secret.txt'],
        readyPort: port,
        stopMs: 5_000,
      },
    ],
  }
}

const nodesDir = await mkdtemp(join(tmpdir(), 'drivers-'))
afterAll(() => rm(nodesDir, { recursive: true, force: true }))

const local = (): NodeDriver =>
  new LocalDriver({ nodesDir: join(nodesDir, 'nodes'), agentMain, nodeBinary: process.execPath, ports: [port] })
const fake = new FakeDriver()

describe.each([
  // Twice the same driver over one state, as two provisioners have it.
  { name: 'fake', one: () => fake, two: () => fake },
  { name: 'local', one: local, two: local },
])('the $name driver', ({ name, one, two }) => {
  const driver = one()
  const other = two()

  const ready = async (nodeId: string, generation = 1): Promise<void> => {
    await vi.waitFor(
      async () => expect(await driver.get(nodeId)).toMatchObject({ state: 'ready', generation, detail: '' }),
      { timeout: 20_000, interval: 20 },
    )
  }

  test('says its name', () => {
    expect(driver.name).toBe(name)
  })

  test('has no node that was never made, and deletes it without complaint', async () => {
    const nodeId = newId('node')
    await expect(driver.get(nodeId)).rejects.toMatchObject({ name: 'DriverError', kind: 'not_found' })
    await driver.delete(nodeId)
    expect((await driver.list()).map((node) => node.nodeId)).not.toContain(nodeId)
  })

  test('gives a node one address, and two nodes two', async () => {
    const [first, second] = [newId('node'), newId('node')]
    const [a, b, c] = await Promise.all([
      driver.reserveAddress(first),
      other.reserveAddress(first),
      driver.reserveAddress(second),
    ])
    expect(a).toBe(b)
    expect(c).not.toBe(a)
    expect(await driver.reserveAddress(second)).toBe(c)
    await Promise.all([driver.delete(first), driver.delete(second)])
  })

  test('makes a node once, however often it is asked, and forgets it', async () => {
    const nodeId = newId('node')
    const manifest = manifestOf(nodeId, await driver.reserveAddress(nodeId))
    await Promise.all([driver.create(manifest), other.create(manifest)])
    await ready(nodeId)
    const seen = await driver.get(nodeId)
    expect(seen).toMatchObject({ nodeId, cellId: manifest.cellId, address: manifest.address })
    expect(Date.now() - seen.createdAt.getTime()).toBeLessThan(60_000)
    await driver.create(manifest)
    expect((await driver.get(nodeId)).createdAt).toEqual(seen.createdAt)
    expect((await other.list()).filter((node) => node.nodeId === nodeId)).toHaveLength(1)
    await Promise.all([driver.delete(nodeId), other.delete(nodeId)])
    await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
    expect((await driver.list()).map((node) => node.nodeId)).not.toContain(nodeId)
  })

  test('makes a deleted node again where it was, and gives its address to nobody else', async () => {
    const [nodeId, later] = [newId('node'), newId('node')]
    const address = await driver.reserveAddress(nodeId)
    await driver.create(manifestOf(nodeId, address))
    await driver.delete(nodeId)
    await driver.create(manifestOf(nodeId, address))
    await ready(nodeId)
    expect(await other.reserveAddress(later)).not.toBe(address)
    await Promise.all([driver.delete(nodeId), driver.delete(later)])
  })

  test('takes up a later generation, and never an earlier one', async () => {
    const nodeId = newId('node')
    const address = await driver.reserveAddress(nodeId)
    await driver.create(manifestOf(nodeId, address, 2))
    await ready(nodeId, 2)
    await driver.create(manifestOf(nodeId, address, 5))
    await ready(nodeId, 5)
    await driver.create(manifestOf(nodeId, address, 4))
    await ready(nodeId, 5)
    await driver.delete(nodeId)
  })
})
