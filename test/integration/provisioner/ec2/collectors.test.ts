import { AllocateAddressCommand, CreateVolumeCommand, DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '#libs/base'
import { collectOrphanMachines } from '../../../../apps/provisioner/collectors/orphan-machines.ts'
import type { Ec2Driver } from '../../../../apps/provisioner/drivers/ec2/driver.ts'
import { contractLaunch } from '../../../harness/contract-launch.ts'
import { type Ec2World, startEc2World } from '../../../harness/ec2-stand-ins/ec2-world.ts'
import { motoCredentials } from '../../../harness/moto-region.ts'
import { until } from '../../../harness/until.ts'
import { graceMs, OrphanFixture } from '../orphan-fixture.ts'

let aws: Ec2World
let rows: OrphanFixture
let driver: Ec2Driver
let ec2: EC2Client
beforeAll(async () => {
  rows = await OrphanFixture.start()
  aws = await startEc2World()
  driver = aws.driver()
  ec2 = new EC2Client({ region: 'us-east-1', endpoint: aws.motoUrl, credentials: motoCredentials })
}, 300_000)
afterAll(async () => {
  ec2.destroy()
  await aws.stop()
  await rows[Symbol.asyncDispose]()
})
beforeEach(() => rows.clear())

const region = 'aws-us-east-1'
const round = () => collectOrphanMachines(rows.deps, { name: `ec2 ${region}`, driver, regions: [region] })

async function launch(cellId: string, slotId = 'edge-0') {
  const nodeId = newId('node')
  const { machineId } = await driver.launch(contractLaunch(nodeId, { cellId, slotId, role: 'edge' }))
  return { nodeId, cellId, slotId, machineId }
}

async function running(nodeId: string): Promise<readonly string[]> {
  const machines = await aws.machines.really(nodeId)
  return machines.map(({ InstanceId = '' }) => InstanceId)
}

async function volume(cellId: string, nodeId: string, installation = 'test'): Promise<string> {
  const tags = { 'aqueduct:installation': installation, 'aqueduct:cell': cellId, 'aqueduct:node': nodeId }
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  const TagSpecifications = [{ ResourceType: 'volume' as const, Tags }]
  const made = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'us-east-1a', Size: 8, TagSpecifications }))
  return made.VolumeId ?? ''
}

/** Those of EC2 that were there when the test began are other tests': only this cell's are looked at. */
async function resources(cellId: string): Promise<readonly string[]> {
  return (await driver.listResources())
    .filter((one) => one.cellId === cellId)
    .map(({ kind, owner }) => `${kind} ${owner}`)
}

async function roundAfterGrace(): Promise<void> {
  await round()
  rows.clock.pass(graceMs + 1_000)
  await round()
}

test('what no row owns goes, and what a row owns stays', async () => {
  await rows.cell('cell-a', { size: 'standard' })
  const [owned, late] = [await launch('cell-a'), await launch('cell-a', 'edge-1')]
  await rows.node(owned.nodeId, { cellId: 'cell-a', slot: 'edge-0', machineId: owned.machineId })
  await rows.node(late.nodeId, { cellId: 'cell-a', slot: 'edge-1', state: 'deleted' })
  await driver.expose(owned)
  await driver.expose({ ...late, slotId: 'edge-77' })
  await volume('cell-a', late.nodeId)
  await volume('cell-a', 'node-gone')
  expect((await resources('cell-a')).toSorted()).toEqual(
    ['address edge-0', 'address edge-77', 'volume node-gone', `volume ${late.nodeId}`].toSorted(),
  )
  await roundAfterGrace()
  // The volume of the late machine goes once the driver sees that it has ended.
  await until('the volumes are gone', async () => {
    await round()
    return (await resources('cell-a')).length === 1
  })
  expect(await running(owned.nodeId)).toEqual([owned.machineId])
  expect(await running(late.nodeId)).toEqual([])
  expect(await resources('cell-a')).toEqual(['address edge-0'])
  expect(rows.collected.toSorted()).toEqual(['address', 'node', 'volume', 'volume'])
})

test('of two machines of a node the one of its row stays', async () => {
  await rows.cell('cell-b')
  const node = await launch('cell-b')
  await aws.machines.duplicate(node.machineId)
  await rows.node(node.nodeId, { cellId: 'cell-b', machineId: node.machineId })
  await roundAfterGrace()
  expect(await running(node.nodeId)).toEqual([node.machineId])
})

test('nothing is deleted while EC2 does not let itself be asked', async () => {
  await rows.cell('cell-c')
  const node = await launch('cell-c')
  await rows.node(node.nodeId, { cellId: 'cell-c', state: 'deleted' })
  await round()
  rows.clock.pass(graceMs + 1_000)
  const denied = new Proxy(driver, {
    get: (target, name) => {
      if (name === 'listResources') return () => Promise.reject(new Error('RequestLimitExceeded'))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const scope = { name: `ec2 ${region}`, driver: denied, regions: [region] }
  await expect(collectOrphanMachines(rows.deps, scope)).rejects.toThrow('RequestLimitExceeded')
  expect(await running(node.nodeId)).toEqual([node.machineId])
  await round()
  expect(await running(node.nodeId)).toEqual([])
})

test('a young installation in another one’s account deletes nothing, under the same tag or another', async () => {
  const node = await launch('cell-theirs')
  await driver.expose(node)
  const foreign = await volume('cell-theirs', 'node-gone', 'other')
  const shared = await volume('cell-theirs', 'node-gone')
  const Tags = [{ Key: 'aqueduct:installation', Value: 'other' }]
  await ec2.send(
    new AllocateAddressCommand({ Domain: 'vpc', TagSpecifications: [{ ResourceType: 'elastic-ip', Tags }] }),
  )
  for (let again = 0; again < 3; again += 1) await roundAfterGrace()
  expect(await running(node.nodeId)).toEqual([node.machineId])
  expect(await resources('cell-theirs')).toEqual(['address edge-0', 'volume node-gone'])
  const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ VolumeIds: [foreign, shared] }))
  expect(Volumes).toHaveLength(2)
  expect(rows.collected).toEqual([])
  // Of another tag not even that they are there is known.
  expect((await rows.sightings()).join()).not.toContain(foreign)
})
