import {
  AllocateAddressCommand,
  CreateVolumeCommand,
  DescribeAddressesCommand,
  DescribeVolumesCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { newId } from '#libs/base'
import type { Ec2Driver } from '../../../../apps/provisioner/drivers/ec2/driver.ts'
import { contractLaunch } from '../../../harness/contract-launch.ts'
import { type Ec2World, startEc2World } from '../../../harness/ec2-stand-ins/ec2-world.ts'
import { motoCredentials } from '../../../harness/moto-region.ts'

let world: Ec2World
let driver: Ec2Driver
let ec2: EC2Client
beforeAll(async () => {
  world = await startEc2World()
  driver = world.driver()
  ec2 = new EC2Client({ region: 'us-east-1', endpoint: world.motoUrl, credentials: motoCredentials })
}, 300_000)
afterAll(async () => {
  ec2.destroy()
  await world.stop()
})
afterEach(() => world.proxy.instances.hideNewFor(0))

async function edge(cellId: string, slotId: string) {
  const nodeId = newId('node')
  const { machineId } = await driver.launch(contractLaunch(nodeId, { cellId, slotId, role: 'edge' }))
  return { nodeId, cellId, slotId, machineId }
}

/** What there really is. */
async function addressesOf(cellId: string) {
  const Filters = [{ Name: 'tag:aqueduct:cell', Values: [cellId] }]
  return (await ec2.send(new DescribeAddressesCommand({ Filters }))).Addresses ?? []
}

test('a slot keeps its address when its next node comes', async () => {
  const [first, second] = [await edge('cell-a', 'edge-0'), await edge('cell-a', 'edge-0')]
  const address = await driver.expose(first)
  expect(await driver.expose(first)).toBe(address)
  expect(await addressesOf('cell-a')).toMatchObject([{ PublicIp: address, InstanceId: first.machineId }])
  expect(await driver.expose(second)).toBe(address)
  expect(await addressesOf('cell-a')).toMatchObject([{ PublicIp: address, InstanceId: second.machineId }])
  await driver.delete(second.nodeId)
  expect(await addressesOf('cell-a')).toMatchObject([{ PublicIp: address }])
  const other = await edge('cell-a', 'edge-1')
  expect(await driver.expose(other)).not.toBe(address)
  await driver.releaseAddresses('cell-a', ['edge-1'])
  expect(await addressesOf('cell-a')).toMatchObject([{ InstanceId: other.machineId }])
})

test('of two addresses that were made at once the older stays', async () => {
  const node = await edge('cell-b', 'edge-0')
  const gate = world.proxy.faults.hold('AllocateAddress')
  const slow = world.driver().expose(node)
  await gate.arrived
  world.proxy.instances.hideNewFor(30_000)
  const fast = await driver.expose(node)
  gate.open()
  const late = await slow
  expect(late).not.toBe(fast)
  expect(await addressesOf('cell-b')).toHaveLength(2)
  world.clock.advance(31_000)
  // The one that was asked for first is the older, whatever became of the answers.
  expect(await driver.expose(node)).toBe(late)
  expect(await addressesOf('cell-b')).toMatchObject([{ PublicIp: late, InstanceId: node.machineId }])
})

test('an address whose answer was lost is found by its tags', async () => {
  const node = await edge('cell-c', 'edge-0')
  world.proxy.faults.loseAnswer('AllocateAddress')
  await expect(driver.expose(node)).rejects.toMatchObject({ kind: 'unknown' })
  await driver.expose(node)
  expect(await addressesOf('cell-c')).toHaveLength(1)
})

test('addresses and volumes are listed with what they were made for, and deleted', async () => {
  const node = await edge('cell-d', 'edge-2')
  await driver.expose(node)
  const left = await volume({ 'aqueduct:installation': 'test', 'aqueduct:cell': 'cell-d', 'aqueduct:node': 'node-x' })
  const listed = (await driver.listResources()).filter(({ cellId }) => cellId === 'cell-d')
  // The node's own volume is held by its machine, and is not among them.
  expect(listed).toMatchObject([
    { kind: 'address', owner: 'edge-2', createdAt: expect.any(Date) },
    { kind: 'volume', id: left, owner: 'node-x', createdAt: expect.any(Date) },
  ])
  for (const resource of listed) await driver.deleteResource(resource)
  for (const resource of listed) await driver.deleteResource(resource)
  expect((await driver.listResources()).filter(({ cellId }) => cellId === 'cell-d')).toEqual([])
  expect(await world.machines.really(node.nodeId)).toHaveLength(1)
})

test('a volume goes with its machine', async () => {
  const { nodeId } = await edge('cell-e', 'edge-0')
  const Filters = [{ Name: 'tag:aqueduct:node', Values: [nodeId] }]
  const volumes = async () => (await ec2.send(new DescribeVolumesCommand({ Filters }))).Volumes ?? []
  expect(await volumes()).toHaveLength(1)
  await driver.delete(nodeId)
  expect(await volumes()).toEqual([])
})

test('a second machine can be taken away by itself', async () => {
  const { nodeId, cellId, machineId } = await edge('cell-f', 'edge-0')
  const id = await world.machines.duplicate(machineId)
  await driver.deleteResource({ kind: 'machine', id, cellId, owner: nodeId })
  expect((await world.machines.really(nodeId)).map(({ InstanceId }) => InstanceId)).toEqual([machineId])
})

test('nothing of another installation is seen, and nothing of it is touched', async () => {
  const nodeId = newId('node')
  const foreign = {
    'aqueduct:installation': 'other',
    'aqueduct:cell': 'cell-g',
    'aqueduct:node': nodeId,
    'aqueduct:slot': 'edge-0',
  }
  const Tags = Object.entries(foreign).map(([Key, Value]) => ({ Key, Value }))
  const tagged = (ResourceType: 'instance' | 'elastic-ip') => ({ TagSpecifications: [{ ResourceType, Tags }] })
  const image = { ImageId: 'ami-0123456789abcdef0', MinCount: 1, MaxCount: 1 }
  const { Instances = [] } = await ec2.send(new RunInstancesCommand({ ...image, ...tagged('instance') }))
  const machineId = Instances[0]?.InstanceId ?? ''
  const made = await ec2.send(new AllocateAddressCommand({ Domain: 'vpc', ...tagged('elastic-ip') }))
  const addressId = made.AllocationId ?? ''
  const volumeId = await volume(foreign)

  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  expect((await driver.list()).map((seen) => seen.machineId)).not.toContain(machineId)
  expect((await driver.listResources()).map(({ id }) => id)).not.toContain(addressId)
  const claims = { cellId: 'cell-g', owner: nodeId }
  await driver.deleteResource({ kind: 'address', id: addressId, ...claims })
  await driver.deleteResource({ kind: 'volume', id: volumeId, ...claims })
  await driver.deleteResource({ kind: 'machine', id: machineId, ...claims })
  await driver.releaseAddresses('cell-g', [])
  const isWhole = async () => {
    expect((await world.machines.really(nodeId)).map(({ InstanceId }) => InstanceId)).toEqual([machineId])
    expect(await addressesOf('cell-g')).toMatchObject([{ AllocationId: addressId }])
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }))
    expect(Volumes).toHaveLength(1)
  }
  await isWhole()

  // Of the same name in both: ours is made beside it, and is the only one that goes.
  const ours = await driver.launch(contractLaunch(nodeId, { cellId: 'cell-g', role: 'edge' }))
  expect(ours.machineId).not.toBe(machineId)
  await driver.expose({ nodeId, cellId: 'cell-g', slotId: 'edge-0' })
  expect(await addressesOf('cell-g')).toHaveLength(2)
  await driver.releaseAddresses('cell-g', [])
  await driver.delete(nodeId)
  await isWhole()
  await driver.delete(nodeId)
  await isWhole()
})

async function volume(tags: Readonly<Record<string, string>>): Promise<string> {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  const TagSpecifications = [{ ResourceType: 'volume' as const, Tags }]
  const made = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'us-east-1a', Size: 8, TagSpecifications }))
  return made.VolumeId ?? ''
}
