import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import type { NodeInstance } from '../../../../apps/provisioner/drivers/contract.ts'
import type { Ec2Driver } from '../../../../apps/provisioner/drivers/ec2/driver.ts'
import { contractLaunch } from '../../../harness/contract-launch.ts'
import { type Ec2World, startEc2World } from '../../../harness/ec2-stand-ins/ec2-world.ts'
import type { BootPhase } from '../../../harness/ec2-stand-ins/stand-in-machines.ts'

let world: Ec2World
let driver: Ec2Driver
beforeAll(async () => {
  world = await startEc2World()
  driver = world.driver()
}, 300_000)
afterAll(() => world.stop())

function manifestOf(nodeId: string, address: string, generation = 1): NodeManifest {
  return { nodeId, cellId: 'cell-contract', generation, address, files: [], processes: [] }
}

async function launched(): Promise<NodeInstance & { readonly address: string }> {
  const seen = await driver.launch(contractLaunch(newId('node')))
  if (seen.address === undefined) throw new Error('it has no address')
  return { ...seen, address: seen.address }
}

/** A node that has come all the way up. */
async function ready(): Promise<NodeInstance> {
  const { nodeId, address } = await launched()
  await driver.configure(manifestOf(nodeId, address))
  await world.machines.boot()
  const seen = await driver.get(nodeId)
  expect(seen).toMatchObject({ state: 'ready', generation: 1, detail: '' })
  return seen
}

/** Later, so that nothing that was seen before counts. */
async function later(nodeId: string, ms = 2_000): Promise<NodeInstance> {
  world.clock.advance(ms)
  return driver.get(nodeId)
}

test('a machine is starting until it reports that it runs its manifest', async () => {
  world.proxy.instances.pendingFor(20_000)
  const { nodeId, address } = await launched()
  world.proxy.instances.pendingFor(0)
  expect(await driver.get(nodeId)).toMatchObject({
    state: 'starting',
    generation: -1,
    detail: expect.stringContaining('EC2 starts'),
  })
  expect(await later(nodeId, 20_000)).toMatchObject({
    state: 'starting',
    detail: expect.stringContaining('has not joined after'),
  })
  await world.machines.boot('joined')
  expect(await later(nodeId)).toMatchObject({ state: 'starting', generation: -1 })
  await driver.configure(manifestOf(nodeId, address, 3))
  expect(await later(nodeId)).toMatchObject({ state: 'starting', generation: -1 })
  await world.machines.boot()
  expect(await later(nodeId)).toMatchObject({ state: 'ready', generation: 3, detail: '' })
})

test.for<BootPhase | 'at once' | 'ready'>(['at once', 'launched', 'joined', 'configured', 'ready'])(
  'a machine that dies (%s) has failed, and its node gets no other one',
  async (phase) => {
    const { nodeId, machineId, address } = await launched()
    if (phase === 'configured' || phase === 'ready') await driver.configure(manifestOf(nodeId, address))
    if (phase !== 'at once') await world.machines.boot(phase === 'ready' ? 'configured' : phase)
    await world.proxy.kill(machineId)
    expect(await later(nodeId)).toMatchObject({
      state: 'failed',
      machineId,
      detail: expect.stringContaining('terminated'),
    })
    expect(await driver.launch(contractLaunch(nodeId))).toMatchObject({ state: 'failed', machineId })
    expect(await world.machines.really(nodeId)).toEqual([])
    // What is dead is not run: collectors have nothing to do with it.
    expect((await driver.list()).map((seen) => seen.nodeId)).not.toContain(nodeId)
    await driver.delete(nodeId)
    await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  },
)

test('a machine that is stopped has failed: it cannot be started by anybody here', async () => {
  const { nodeId, machineId } = await ready()
  await world.proxy.halt(machineId)
  expect(await later(nodeId)).toMatchObject({ state: 'failed', detail: expect.stringContaining('stopped') })
  await driver.delete(nodeId)
})

test('a machine that never joins has failed after ten minutes', async () => {
  const { nodeId } = await launched()
  expect(await later(nodeId, 9 * 60_000)).toMatchObject({ state: 'starting' })
  expect(await later(nodeId, 61_000)).toMatchObject({ state: 'failed' })
  await driver.delete(nodeId)
})

test('a silent node is not ready, and has failed once others were heard for long after it', async () => {
  const { nodeId } = await ready()
  const other = await ready()
  expect(await later(nodeId, 46_000)).toMatchObject({ state: 'starting', detail: expect.stringContaining('nothing') })
  // Nobody is heard: that says nothing about this one.
  expect(await later(nodeId, 5 * 60_000)).toMatchObject({ state: 'starting' })
  world.mailbox.report(other.nodeId, { state: 'ready', generation: 1, detail: '' })
  await driver.get(other.nodeId)
  expect(await driver.get(nodeId)).toMatchObject({ state: 'failed' })
})

test('what EC2 has scheduled for a machine is told, and what is over is not', async () => {
  const { nodeId, machineId } = await ready()
  const at = new Date(world.clock.now().getTime() + 86_400_000)
  const description = 'The instance is running on degraded hardware'
  world.proxy.instances.schedule(machineId, {
    code: 'system-reboot',
    notBefore: world.clock.now(),
    description: `[Completed] ${description}`,
  })
  world.proxy.instances.schedule(machineId, { code: 'instance-retirement', notBefore: at, description })
  world.clock.advance(60_000)
  world.mailbox.report(nodeId, { state: 'ready', generation: 1, detail: '' })
  const seen = await driver.get(nodeId)
  expect(seen).toMatchObject({ state: 'ready', notice: { kind: 'maintenance', detail: 'instance-retirement' } })
  expect(seen.notice?.at.getTime()).toBe(at.getTime())
  // The machine alone hears that it is interrupted, and that is sooner.
  const soon = new Date(world.clock.now().getTime() + 120_000)
  const notice = { kind: 'interruption' as const, at: soon, detail: 'terminate' }
  world.mailbox.report(nodeId, { state: 'ready', generation: 1, detail: '', notice })
  expect((await later(nodeId)).notice).toEqual(notice)
})

test('a machine that fails its checks and is silent has failed at once', async () => {
  const { nodeId, machineId } = await ready()
  world.proxy.instances.impair(machineId)
  expect(await later(nodeId, 61_000)).toMatchObject({ state: 'failed', detail: expect.stringContaining('impaired') })
  world.mailbox.report(nodeId, { state: 'ready', generation: 1, detail: '' })
  expect(await later(nodeId)).toMatchObject({ state: 'ready' })
})

test('when EC2 does not say how machines are, what it said last counts', async () => {
  const { nodeId } = await ready()
  world.clock.advance(61_000)
  world.mailbox.report(nodeId, { state: 'ready', generation: 1, detail: '' })
  world.proxy.faults.refuse('DescribeInstanceStatus', { status: 400, code: 'UnauthorizedOperation', message: 'no' })
  expect(await driver.get(nodeId)).toMatchObject({ state: 'ready' })
})

test('an ignored termination is asked for again, and the mail is forgotten at the end', async () => {
  const { nodeId, machineId } = await ready()
  world.proxy.ignoreTermination(machineId)
  await driver.delete(nodeId)
  expect(await driver.get(nodeId)).toMatchObject({ machineId })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  expect(world.mailbox.has(nodeId)).toBe(true)
  world.proxy.hear(machineId)
  await driver.delete(nodeId)
  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  expect(await world.machines.really(nodeId)).toEqual([])
  expect(world.mailbox.has(nodeId)).toBe(false)
})

test('a termination whose answer is lost is no harm', async () => {
  const { nodeId } = await ready()
  world.proxy.faults.loseAnswer('TerminateInstances')
  await driver.delete(nodeId)
  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  await driver.delete(nodeId)
})

test('a node that is deleted before EC2 shows it is not gone before it is', async () => {
  world.proxy.instances.hideNewFor(30_000)
  const nodeId = newId('node')
  const { machineId } = await driver.launch(contractLaunch(nodeId))
  world.proxy.instances.hideNewFor(0)
  await driver.delete(nodeId)
  // EC2 may know it by its name already: that it is not shown keeps nobody from asking.
  const ends = world.proxy.calls.filter(({ action }) => action === 'TerminateInstances')
  expect(ends.map(({ params }) => params.get('InstanceId.1'))).toContain(machineId)
  expect(await driver.get(nodeId)).toMatchObject({ state: 'ending' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  world.clock.advance(31_000)
  expect(await driver.get(nodeId)).toMatchObject({ nodeId })
  await driver.delete(nodeId)
  expect(await world.machines.really(nodeId)).toEqual([])
  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
})

test('a machine that EC2 does not show any more is gone: its node has failed, and gets no other one', async () => {
  const { nodeId, machineId } = await ready()
  world.clock.advance(6 * 60_000)
  world.proxy.instances.hide(machineId)
  expect(await driver.get(nodeId)).toMatchObject({ state: 'failed', machineId, detail: `${machineId} is gone` })
  expect(await driver.launch(contractLaunch(nodeId))).toMatchObject({ state: 'failed', machineId })
  await driver.delete(nodeId)
  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
})

test('a machine that ended before anybody was told of it was the node', async () => {
  const nodeId = newId('node')
  world.proxy.faults.loseAnswer('RunInstances')
  await expect(driver.launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  const [machine] = await world.machines.really(nodeId)
  const machineId = machine?.InstanceId ?? ''
  await world.proxy.kill(machineId)
  world.proxy.instances.hide(machineId)
  expect(await driver.launch(contractLaunch(nodeId))).toMatchObject({ state: 'failed' })
  expect(await driver.get(nodeId)).toMatchObject({ state: 'failed' })
  expect(await world.machines.really(nodeId)).toEqual([])
})
