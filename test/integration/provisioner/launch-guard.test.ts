import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CellSize } from '#libs/domain/cells'
import { type Database, StaleWriterError } from '#libs/store'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'
import { LaunchGuard, LaunchRefusedError } from '../../../apps/provisioner/reconcilers/nodes/launch-guard.ts'
import { launchOf, OrphanFixture } from './orphan-fixture.ts'

const region = 'aws-us-east-1'
let world: OrphanFixture
let driver: FakeDriver
let refused: string[]
beforeAll(async () => {
  world = await OrphanFixture.start()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  await world.clear()
  await world.cell('cell-1')
  driver = new FakeDriver()
  refused = []
})

function guard(given: { nodeLimit?: number; database?: Database; monotonicMs?: () => number } = {}): LaunchGuard {
  const { nodeLimit = 100, database = world.database, ...rest } = given
  return new LaunchGuard({
    database,
    clock: { now: () => new Date() },
    nodeLimit: () => nodeLimit,
    onRefused: (reason) => refused.push(reason),
    ...rest,
  })
}

async function ask(
  by: LaunchGuard,
  nodeId: string,
  { cellId = 'cell-1', size = 'dev' as CellSize } = {},
  call?: () => Promise<unknown>,
) {
  const { rows } = await world.database.pool.query(
    'select launch_failures, launch_failed_at from nodes where id = $1',
    [nodeId],
  )
  const node = { id: nodeId, cell_id: cellId, ...rows[0] }
  const request = { node, cell: { id: cellId, region, size }, driver }
  return by.launch(request, call ?? (() => driver.launch(launchOf(nodeId, { cellId }))))
}

/** As a pass asks that comes again for a node that is still wanted. */
async function askNew(by: LaunchGuard, nodeId: string, given?: { cellId?: string; size?: CellSize }) {
  await world.node(nodeId, { state: 'creating', ...(given?.cellId === undefined ? {} : { cellId: given.cellId }) })
  return ask(by, nodeId, given)
}

const machines = async () => (await driver.list()).length

test('a cell has one machine more than it has slots, and no further one', async () => {
  for (const id of ['node-1', 'node-2']) await askNew(guard(), id)
  await expect(askNew(guard(), 'node-3')).rejects.toThrow('the cell has 2 machines and may have 2 at once')
  expect(await machines()).toBe(2)
  expect(refused).toEqual(['cell_full'])
  await world.cell('cell-2', { size: 'small' })
  for (let index = 0; index < 4; index += 1)
    await askNew(guard(), `node-small-${index}`, { cellId: 'cell-2', size: 'small' })
  await expect(askNew(guard(), 'node-small-4', { cellId: 'cell-2', size: 'small' })).rejects.toThrow('may have 4')
})

test('the node that asks again does not count against itself', async () => {
  await askNew(guard({ nodeLimit: 1 }), 'node-1')
  for (let again = 0; again < 3; again += 1) await ask(guard({ nodeLimit: 1 }), 'node-1')
  expect(await machines()).toBe(1)
})

test('a region has as many machines as its limit says, over all its cells', async () => {
  for (const id of ['cell-2', 'cell-3']) await world.cell(id)
  await askNew(guard({ nodeLimit: 2 }), 'node-1')
  await askNew(guard({ nodeLimit: 2 }), 'node-2', { cellId: 'cell-2' })
  await expect(askNew(guard({ nodeLimit: 2 }), 'node-3', { cellId: 'cell-3' })).rejects.toThrow('its nodeLimit is 2')
  expect(refused).toEqual(['region_full'])
  await world.cell('cell-west', { region: 'aws-us-west-2' })
  await world.admin.query("update nodes set cell_id = 'cell-west' where id = 'node-1'")
  await driver.delete('node-1')
  // The driver serves both regions, and lists both.
  await driver.launch(launchOf('node-west', { cellId: 'cell-west' }))
  await ask(guard({ nodeLimit: 2 }), 'node-3', { cellId: 'cell-3' })
})

test('twenty launches at once by two provisioners make three machines where three are allowed', async () => {
  // A pool a provisioner, as two processes have.
  const second = world.secondPool()
  try {
    const nodes = Array.from({ length: 20 }, (_, index) => `node-${index}`)
    for (const id of nodes) {
      await world.cell(id.replace('node', 'cell-x'))
      await world.node(id, { cellId: id.replace('node', 'cell-x'), state: 'creating' })
    }
    const guards = [guard({ nodeLimit: 3 }), guard({ nodeLimit: 3, database: second })]
    const asked = await Promise.allSettled(
      nodes.map((id, index) => ask(guards[index % 2] ?? guard(), id, { cellId: id.replace('node', 'cell-x') })),
    )
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(await machines()).toBe(3)
    for (const answer of asked) {
      if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(LaunchRefusedError)
    }
    expect(refused).toHaveLength(17)
  } finally {
    await second.close()
  }
})

test('machines that no row owns, that are ending, and second ones of a node count', async () => {
  await driver.launch(launchOf('node-orphan'))
  await driver.launch(launchOf('node-ending'))
  driver.setState('node-ending', 'ending')
  await expect(askNew(guard(), 'node-1')).rejects.toThrow('the cell has 2 machines')
  await driver.delete('node-orphan')
  driver.duplicate('node-ending', 'machine-2')
  await expect(ask(guard(), 'node-1')).rejects.toThrow('the cell has 2 machines')
  await driver.delete('node-ending')
  await driver.launch(launchOf('node-unknown', { cellId: 'cell-that-nobody-knows' }))
  await expect(ask(guard({ nodeLimit: 1 }), 'node-1')).rejects.toThrow('the region aws-us-east-1 has 1 machines')
  await ask(guard(), 'node-1')
})

test('a permit counts when its process died before the launch, and a minute longer when the row ends', async () => {
  await world.node('node-1', { state: 'creating' })
  await expect(ask(guard({ nodeLimit: 1 }), 'node-1', {}, () => Promise.reject(new Error('killed')))).rejects.toThrow(
    'killed',
  )
  await expect(askNew(guard({ nodeLimit: 1 }), 'node-2')).rejects.toThrow('nodeLimit is 1')
  await world.admin.query("update nodes set state = 'deleted' where id = 'node-1'")
  await expect(ask(guard({ nodeLimit: 1 }), 'node-2')).rejects.toThrow('nodeLimit is 1')
  await world.admin.query(
    "update nodes set launch_permitted_at = launch_permitted_at - interval '60 seconds' where id = 'node-1'",
  )
  await ask(guard({ nodeLimit: 1 }), 'node-2')
})

test('a process that slept after its permit launches nothing', async () => {
  await world.node('node-1', { state: 'creating' })
  let time = 0
  let reads = 0
  // It is stopped for minutes right after the permit was written.
  const monotonicMs = () => {
    reads += 1
    time = reads >= 3 ? 180_000 : 0
    return time
  }
  await expect(ask(guard({ monotonicMs }), 'node-1')).rejects.toThrow(StaleWriterError)
  expect(await machines()).toBe(0)
})

test.each(['deleting', 'deleted'])('a node that is %s meanwhile is not launched', async (state) => {
  await world.node('node-1', { state })
  await expect(ask(guard(), 'node-1')).rejects.toThrow(StaleWriterError)
  expect(await machines()).toBe(0)
})

test('nothing is launched while nobody knows what there is', async () => {
  await world.node('node-1', { state: 'creating' })
  const by = guard()
  driver.failNext('list', 'throttled')
  await expect(ask(by, 'node-1')).rejects.toMatchObject({ reason: 'world_unknown' })
  expect(await machines()).toBe(0)
  await ask(by, 'node-1')
})

test('a cell whose machines die soon waits longer and longer, says until when, and another cell does not', async () => {
  for (let index = 0; index < 3; index += 1) {
    const id = `node-${index}`
    await askNew(guard(), id)
    await driver.delete(id)
    await world.admin.query("update nodes set state = 'failed' where id = $1", [id])
    await world.admin.query(
      "update nodes set state = 'deleted', launch_permitted_at = now() - interval '2 minutes' where id = $1",
      [id],
    )
  }
  const answer = await askNew(guard(), 'node-next').catch((thrown: unknown) => thrown)
  expect(answer).toMatchObject({
    reason: 'backing_off',
    message: expect.stringMatching(
      /^machines of this cell die soon after their launch: the next launch comes in \d+ s$/,
    ),
  })
  expect((answer as LaunchRefusedError).retryAfterMs).toBeGreaterThan(5_000)
  expect((answer as LaunchRefusedError).retryAfterMs).toBeLessThanOrEqual(10_000)
  await world.cell('cell-2')
  await askNew(guard(), 'node-other', { cellId: 'cell-2' })
  await world.admin.query("update nodes set ended_at = ended_at - interval '10 seconds' where state = 'deleted'")
  await ask(guard(), 'node-next')
})

test('launches that fail wait longer and longer, and a success forgets them', async () => {
  await world.node('node-1', { state: 'creating' })
  for (let index = 0; index < 3; index += 1) {
    driver.failNext('launch', 'no_capacity')
    await expect(ask(guard(), 'node-1')).rejects.toThrow('fails on demand')
  }
  const lost = () => Promise.reject(new StaleWriterError('the lease was lost'))
  await expect(ask(guard(), 'node-1', {}, lost)).rejects.toThrow(
    '3 calls to launch it failed: the next launch comes in',
  )
  await world.admin.query("update nodes set launch_failed_at = launch_failed_at - interval '10 seconds'")
  await ask(guard(), 'node-1')
  const { rows } = await world.admin.query('select launch_failures from nodes')
  expect(rows).toEqual([{ launch_failures: 0 }])
})
