import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'
import { graceMs, launchOf, OrphanFixture } from './orphan-fixture.ts'

let world: OrphanFixture
let driver: FakeDriver
beforeAll(async () => {
  world = await OrphanFixture.start()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  await world.clear()
  await world.cell('cell-1')
  driver = new FakeDriver({ clock: world.clock })
})

async function machines(): Promise<readonly string[]> {
  return (await driver.list()).map((machine) => machine.machineId).toSorted()
}

async function resources(): Promise<readonly string[]> {
  return (await driver.listResources()).map((resource) => resource.id).toSorted()
}

test('a machine that no row owns is deleted after its grace and not before, and one that a row owns never', async () => {
  for (const id of ['node-orphan', 'node-owned']) await driver.launch(launchOf(id))
  await world.node('node-owned')
  world.clock.pass(graceMs - 1)
  expect(await world.round(driver)).toBe(0)
  world.clock.pass(1)
  expect(await world.round(driver)).toBe(1)
  expect(await machines()).toEqual(['node-owned'])
  expect(world.collected).toEqual(['node'])
})

test.each([
  ['creating', false],
  ['ready', false],
  ['failed', false],
  ['draining', false],
  // Its own reconciler takes it away.
  ['deleting', false],
  ['deleted', true],
])('the machine of a node that is %s: collected %s', async (state, goes) => {
  await driver.launch(launchOf('node-1'))
  await world.node('node-1', { state })
  world.clock.pass(graceMs)
  await world.round(driver)
  expect(await machines()).toEqual(goes ? [] : ['node-1'])
})

test('what comes back under the id of a deleted node is deleted, and the id itself cannot come back', async () => {
  await world.node('node-1', { state: 'deleted' })
  await driver.launch(launchOf('node-1'))
  world.clock.pass(graceMs)
  await world.round(driver)
  expect(await machines()).toEqual([])
  await expect(world.node('node-1')).rejects.toThrow('nodes_pkey')
})

test('of two machines of a node the one that its row names stays, and while it names none both do', async () => {
  await driver.launch(launchOf('node-1'))
  driver.duplicate('node-1', 'machine-2')
  await world.node('node-1')
  world.clock.pass(graceMs)
  await world.round(driver)
  expect(await machines()).toEqual(['machine-2', 'node-1'])
  await world.admin.query("update nodes set machine_id = 'machine-that-went'")
  await world.round(driver)
  expect(await machines()).toEqual(['machine-2', 'node-1'])
  await world.admin.query("update nodes set machine_id = 'machine-2'")
  world.clock.pass(graceMs)
  expect(await world.round(driver)).toBe(1)
  expect(await machines()).toEqual(['machine-2'])
  expect(world.collected).toEqual(['machine'])
})

test('all machines of a node go with it', async () => {
  await driver.launch(launchOf('node-1'))
  driver.duplicate('node-1', 'machine-2')
  await world.node('node-1', { state: 'deleted' })
  world.clock.pass(graceMs)
  await world.round(driver)
  expect(await machines()).toEqual([])
})

test('a public address stays while a cell has its slot, or a node fills it', async () => {
  await world.cell('cell-2', { state: 'deleted' })
  await world.cell('cell-3', { state: 'deleting' })
  await world.node('node-odd', { cellId: 'cell-3', slot: 'edge-7', state: 'deleting' })
  for (const [cellId, slotId] of [
    ['cell-1', 'all-0'],
    ['cell-1', 'all-5'],
    ['cell-2', 'all-0'],
    ['cell-3', 'all-0'],
    ['cell-3', 'edge-7'],
  ] as const) {
    await driver.launch(launchOf(`node-${cellId}-${slotId}`, { cellId, slotId }))
    await driver.expose({ nodeId: `node-${cellId}-${slotId}`, cellId, slotId })
    await driver.delete(`node-${cellId}-${slotId}`)
  }
  world.clock.pass(graceMs)
  await world.round(driver)
  expect(await resources()).toEqual(['cell-1/all-0', 'cell-3/all-0', 'cell-3/edge-7'])
  expect(world.collected).toEqual(['address', 'address'])
})

test('a volume stays while its node has a row, or its machine is there', async () => {
  await world.node('node-owned', { state: 'deleting' })
  await world.node('node-gone', { state: 'deleted' })
  await world.node('node-ending', { state: 'deleted' })
  await driver.launch(launchOf('node-ending'))
  for (const owner of ['node-owned', 'node-gone', 'node-ending']) {
    driver.leaveVolume({ id: `vol-${owner}`, cellId: 'cell-1', owner, createdAt: world.clock.now() })
  }
  world.clock.pass(graceMs - 1)
  await world.round(driver)
  expect(await resources()).toHaveLength(3)
  world.clock.pass(1)
  await world.round(driver)
  expect(await resources()).toEqual(['vol-node-ending', 'vol-node-owned'])
})

test('where the world says no age it counts from the first sighting, which a restart and another replica share', async () => {
  driver.leaveVolume({ id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
  await world.round(driver)
  world.clock.pass(graceMs - 1)
  // Nothing is kept between two rounds but in the database: this one may as well be another process's.
  expect(await world.round(driver)).toBe(0)
  world.clock.pass(1)
  expect(await world.round(driver)).toBe(1)
  expect(await resources()).toEqual([])
  await world.round(driver)
  expect(await world.sightings()).toEqual([])
})

test('a thing that went away and comes again is young again', async () => {
  driver.leaveVolume({ id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
  await world.round(driver)
  await driver.deleteResource({ kind: 'volume', id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
  world.clock.pass(graceMs)
  await world.round(driver)
  driver.leaveVolume({ id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
  expect(await world.round(driver)).toBe(0)
})

test('a machine from the future is as old as its first sighting', async () => {
  world.clock.pass(3_600_000)
  await driver.launch(launchOf('node-orphan'))
  world.clock.pass(-3_600_000)
  await world.round(driver)
  world.clock.pass(graceMs)
  expect(await world.round(driver)).toBe(1)
})

test.each(['list', 'listResources'] as const)(
  'nothing is deleted and no age forgotten when %s fails',
  async (method) => {
    await driver.launch(launchOf('node-orphan'))
    driver.leaveVolume({ id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
    await world.round(driver)
    world.clock.pass(graceMs)
    driver.failNext(method, 'throttled')
    await expect(world.round(driver)).rejects.toThrow('fails on demand')
    expect(await machines()).toEqual(['node-orphan'])
    expect(await resources()).toEqual(['vol-1'])
    expect(await world.round(driver)).toBe(2)
  },
)

test('a world that lacks most of what was seen is not believed: nothing in it is deleted, no age forgotten', async () => {
  driver.leaveVolume({ id: 'vol-1', cellId: 'cell-1', owner: 'node-gone' })
  await world.round(driver)
  await world.node('node-1', { seen: true })
  await world.node('node-2', { seen: true })
  world.clock.pass(graceMs)
  await expect(world.round(driver)).rejects.toThrow('lacks 2 of 2')
  expect(await resources()).toEqual(['vol-1'])
  await driver.launch(launchOf('node-1'))
  expect(await world.round(driver)).toBe(1)
})

test('nodes of regions that another driver serves are not missed', async () => {
  await world.cell('cell-west', { region: 'aws-us-west-2' })
  await world.node('node-west', { cellId: 'cell-west', seen: true })
  await driver.launch(launchOf('node-orphan'))
  world.clock.pass(graceMs)
  expect(await world.round(driver)).toBe(1)
})

test('nothing is deleted when the rows cannot be read', async () => {
  await driver.launch(launchOf('node-orphan'))
  world.clock.pass(graceMs)
  await world.admin.query('alter table nodes rename to nodes_away')
  await expect(world.round(driver)).rejects.toThrow('nodes')
  await world.admin.query('alter table nodes_away rename to nodes')
  expect(await machines()).toEqual(['node-orphan'])
})

test('an installation that knows nothing of the cells there deletes nothing, tells of it once, and counts it', async () => {
  await driver.launch(launchOf('node-theirs', { cellId: 'cell-theirs' }))
  await driver.expose({ nodeId: 'node-theirs', cellId: 'cell-theirs', slotId: 'all-0' })
  driver.leaveVolume({ id: 'vol-theirs', cellId: 'cell-theirs', owner: 'node-gone' })
  for (let round = 0; round < 5; round += 1) {
    expect(await world.round(driver)).toBe(0)
    world.clock.pass(graceMs)
  }
  expect(await machines()).toEqual(['node-theirs'])
  expect(await resources()).toEqual(['cell-theirs/all-0', 'vol-theirs'])
  expect(await world.sightings()).toEqual([
    'address cell-theirs/all-0 (stranger)',
    'node node-theirs (stranger)',
    'volume vol-theirs (stranger)',
  ])
})

test('a row that comes between listing and deletion saves its machine', async () => {
  for (const id of ['node-first', 'node-second']) await driver.launch(launchOf(id))
  world.clock.pass(graceMs)
  let deletions = 0
  const outward = async <Result>(_step: string, call: () => Promise<Result>): Promise<Result> => {
    deletions += 1
    const other = (await machines()).includes('node-first') && deletions === 1 ? 'node-second' : 'node-first'
    await world.node(other)
    return call()
  }
  expect(await world.round(driver, { outward })).toBe(1)
  const { rows } = await world.admin.query('select id from nodes')
  expect(await machines()).toEqual(rows.map(({ id }) => id))
})

test('one orphan that cannot be deleted saves no other, and is asked for again later and counted once', async () => {
  for (const id of ['node-one', 'node-two']) await driver.launch(launchOf(id))
  world.clock.pass(graceMs)
  driver.failNext('delete', 'unknown')
  expect(await world.round(driver)).toBe(1)
  expect(await machines()).toHaveLength(1)
  driver.loseNextAnswer('delete')
  expect(await world.round(driver)).toBe(0)
  expect(await machines()).toEqual([])
})

test('a machine that takes no notice is told again every twenty seconds and counted once', async () => {
  await driver.launch(launchOf('node-deaf'))
  const deaf = new Proxy(driver, {
    get: (target, name) => {
      if (name === 'delete') return async (id: string) => void target.calls.push({ method: 'delete', nodeId: id })
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  world.clock.pass(graceMs)
  for (let second = 0; second < 60; second += 10) {
    await world.round(deaf)
    world.clock.pass(10_000)
  }
  expect(driver.calls.filter(({ method }) => method === 'delete')).toHaveLength(3)
  expect(world.collected).toEqual(['node'])
  const { rows } = await world.admin.query('select kind, total::int from collected')
  expect(rows).toEqual([{ kind: 'node', total: 1 }])
})
