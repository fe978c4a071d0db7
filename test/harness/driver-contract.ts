import { beforeAll, describe, expect, test, vi } from 'vitest'
import { newId } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import type { NodeDriver } from '../../apps/provisioner/drivers/contract.ts'
import { contractLaunch } from './contract-launch.ts'

/** What the contract's nodes listen on. */
export const contractPort = 7_233

/** A process that listens and does nothing else. */
function manifestOf(nodeId: string, address: string, generation = 1): NodeManifest {
  const serve = `require('node:net').createServer((s) => s.end()).listen(${contractPort}, '${address}')`
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
        readyPort: contractPort,
        stopMs: 5_000,
      },
    ],
  }
}

/** What every driver promises. `one` and `two` are drivers over one state, as two provisioners have them. */
export function describeDriverContract(name: NodeDriver['name'], one: () => NodeDriver, two: () => NodeDriver): void {
  describe(`the ${name} driver`, () => contract(name, one, two))
}

function contract(name: string, one: () => NodeDriver, two: () => NodeDriver): void {
  let driver: NodeDriver
  let other: NodeDriver
  beforeAll(() => {
    driver = one()
    other = two()
  })

  const ready = async (nodeId: string, generation = 1): Promise<void> => {
    await vi.waitFor(
      async () => expect(await driver.get(nodeId)).toMatchObject({ state: 'ready', generation, detail: '' }),
      { timeout: 20_000, interval: 20 },
    )
  }

  const gone = async (nodeId: string): Promise<void> => {
    await vi.waitFor(() => expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' }))
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

  /** Launches it, and waits for its address. */
  const launched = async (nodeId: string, by: NodeDriver = driver): Promise<string> => {
    await by.launch(contractLaunch(nodeId))
    return vi.waitFor(async () => {
      const { address } = await by.get(nodeId)
      if (address === undefined) throw new Error('it has no address yet')
      return address
    })
  }

  test('makes one machine of one node, and two of two, however often it is asked', async () => {
    const [first, second] = [newId('node'), newId('node')]
    const [a, b, c] = await Promise.all([launched(first), launched(first, other), launched(second)])
    expect(a).toBe(b)
    expect(c).not.toBe(a)
    expect(await launched(second)).toBe(c)
    const ours = (await other.list()).filter((node) => [first, second].includes(node.nodeId))
    expect(ours.map((node) => node.machineId).sort()).toHaveLength(2)
    expect(ours).toMatchObject(ours.map(() => ({ cellId: 'cell-contract', state: 'starting', generation: -1 })))
    await Promise.all([driver.delete(first), driver.delete(second)])
  })

  test('runs what it is told, once, and forgets it', async () => {
    const nodeId = newId('node')
    const manifest = manifestOf(nodeId, await launched(nodeId))
    await Promise.all([driver.configure(manifest), other.configure(manifest)])
    await ready(nodeId)
    const seen = await driver.get(nodeId)
    expect(seen).toMatchObject({ nodeId, cellId: manifest.cellId, address: manifest.address })
    expect(Date.now() - seen.createdAt.getTime()).toBeLessThan(60_000)
    await driver.launch(contractLaunch(nodeId))
    await driver.configure(manifest)
    expect(await driver.get(nodeId)).toEqual(seen)
    expect((await other.list()).filter((node) => node.nodeId === nodeId)).toHaveLength(1)
    await Promise.all([driver.delete(nodeId), other.delete(nodeId)])
    await gone(nodeId)
    expect((await driver.list()).map((node) => node.nodeId)).not.toContain(nodeId)
  })

  test('tells nothing to a node that is not there, nor to one at another address', async () => {
    const nodeId = newId('node')
    await expect(driver.configure(manifestOf(nodeId, '127.9.9.9'))).rejects.toMatchObject({ kind: 'not_found' })
    await launched(nodeId)
    await expect(driver.configure(manifestOf(nodeId, '127.9.9.9'))).rejects.toMatchObject({ kind: 'denied' })
    await driver.delete(nodeId)
  })

  test('takes up a later generation, and never an earlier one', async () => {
    const nodeId = newId('node')
    const address = await launched(nodeId)
    await driver.configure(manifestOf(nodeId, address, 2))
    await ready(nodeId, 2)
    await driver.configure(manifestOf(nodeId, address, 5))
    await ready(nodeId, 5)
    await driver.configure(manifestOf(nodeId, address, 4))
    await ready(nodeId, 5)
    await driver.delete(nodeId)
  })

  test('leads a slot to the node that was exposed last, and gives its address back', async () => {
    const [first, second] = [newId('node'), newId('node')]
    await Promise.all([launched(first), launched(second)])
    const exposure = { cellId: 'cell-contract', slotId: 'all-0' }
    expect(await driver.expose({ ...exposure, nodeId: first })).toBe(await other.expose({ ...exposure, nodeId: first }))
    expect(await driver.expose({ ...exposure, nodeId: second })).not.toBe('')
    await expect(driver.expose({ ...exposure, nodeId: newId('node') })).rejects.toMatchObject({ kind: 'not_found' })
    await driver.releaseAddresses('cell-contract', ['all-0'])
    const kept = await driver.listResources()
    await driver.releaseAddresses('cell-contract', [])
    await driver.releaseAddresses('cell-contract', [])
    const left = (await driver.listResources()).filter(({ cellId }) => cellId === 'cell-contract')
    expect(left).toEqual([])
    for (const resource of kept) await driver.deleteResource(resource)
    await Promise.all([driver.delete(first), driver.delete(second)])
  })
}
