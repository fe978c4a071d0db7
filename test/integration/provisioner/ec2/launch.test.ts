import { DescribeInstanceAttributeCommand, DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { newId } from '#libs/base'
import { contractLaunch } from '../../../harness/contract-launch.ts'
import { type Ec2World, startEc2World } from '../../../harness/ec2-stand-ins/ec2-world.ts'
import { motoCredentials } from '../../../harness/moto-region.ts'

let world: Ec2World
let ec2: EC2Client
beforeAll(async () => {
  world = await startEc2World()
  ec2 = new EC2Client({ region: 'us-east-1', endpoint: world.motoUrl, credentials: motoCredentials })
}, 300_000)
afterAll(async () => {
  ec2.destroy()
  await world.stop()
})
afterEach(() => {
  world.proxy.faults.empty()
  world.proxy.instances.hideNewFor(0)
})

const node = () => newId('node')
const launches = (nodeId: string) =>
  world.proxy.calls.filter(({ action, params }) => action === 'RunInstances' && String(params).includes(nodeId))

test('a machine is launched as it is to be, with all its tags in the same call', async () => {
  const nodeId = node()
  const seen = await world.driver().launch(contractLaunch(nodeId, { role: 'history', slotId: 'history-1', zone: 4 }))
  expect(seen).toMatchObject({ nodeId, cellId: 'cell-contract', zone: 'us-east-1b', instanceType: 'm7g.large' })
  expect(seen.address).toMatch(/^127\.61\./)
  const [machine, ...others] = await world.machines.really(nodeId)
  expect(others).toEqual([])
  expect(machine).toMatchObject({
    SubnetId: world.options.subnets[1]?.id,
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    NetworkInterfaces: [{ Groups: [{ GroupId: world.options.securityGroups.node[0] }] }],
  })
  expect(machine?.PublicIpAddress).toBeUndefined()
  const [call] = launches(nodeId)
  expect(Object.fromEntries(call?.params ?? [])).toMatchObject({
    InstanceInitiatedShutdownBehavior: 'terminate',
    'IamInstanceProfile.Arn': world.options.instanceProfile,
    'NetworkInterface.1.AssociatePublicIpAddress': 'false',
    'BlockDeviceMapping.1.DeviceName': '/dev/xvda',
    'BlockDeviceMapping.1.Ebs.Encrypted': 'true',
    'BlockDeviceMapping.1.Ebs.VolumeType': 'gp3',
    'BlockDeviceMapping.1.Ebs.VolumeSize': '50',
    'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
  })
  const mine = [{ Name: 'tag:aqueduct:node', Values: [nodeId] }]
  const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand({ Filters: mine }))
  expect(Volumes).toHaveLength(1)
  for (const tags of [machine?.Tags, Volumes[0]?.Tags]) {
    expect(Object.fromEntries((tags ?? []).map(({ Key = '', Value }) => [Key, Value]))).toEqual({
      'aqueduct:installation': 'test',
      'aqueduct:cell': 'cell-contract',
      'aqueduct:node': nodeId,
      'aqueduct:slot': 'history-1',
      'aqueduct:role': 'history',
      Name: 'aqueduct test cell-contract history-1',
    })
  }
  const attribute = { InstanceId: machine?.InstanceId, Attribute: 'userData' as const }
  const { UserData } = await ec2.send(new DescribeInstanceAttributeCommand(attribute))
  expect(Buffer.from(UserData?.Value ?? '', 'base64').toString()).toBe(contractLaunch(nodeId).userData)
})

test('a node with an edge is where the internet can reach it, and still has no public address of its own', async () => {
  const nodeId = node()
  await world.driver().launch(contractLaunch(nodeId, { role: 'edge' }))
  const [machine] = await world.machines.really(nodeId)
  const groups = machine?.NetworkInterfaces?.[0]?.Groups?.map(({ GroupId }) => GroupId)
  expect(groups).toEqual([...world.options.securityGroups.node, ...world.options.securityGroups.edge])
  expect(machine?.SubnetId).toBe(world.options.edgeSubnets[0]?.id)
  expect(machine?.PublicIpAddress).toBeUndefined()
})

test('an image behind a parameter is looked up once a launch, whatever the parameter says later', async () => {
  const nodeId = node()
  const template = { ...contractLaunch(nodeId).template, image: `ssm:${world.region.imageParameter}` }
  world.proxy.faults.throttle('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId, { template }))).rejects.toMatchObject({ kind: 'throttled' })
  await world.machines.setParameter(world.region.imageParameter, 'ami-0fedcba9876543210')
  await world.driver().launch(contractLaunch(nodeId, { template }))
  expect(await world.machines.really(nodeId)).toMatchObject([{ ImageId: 'ami-0123456789abcdef0' }])
  expect(launches(nodeId).map(({ params }) => params.get('ImageId'))).toEqual(Array(2).fill('ami-0123456789abcdef0'))
})

test('a template without an image or a type is refused, and EC2 is not asked', async () => {
  const { template } = contractLaunch('node-x')
  const { image: _image, ...noImage } = template
  const { instanceTypes: _types, ...noTypes } = template
  for (const wrong of [noImage, noTypes, { ...template, image: 'ssm:/not/there' }]) {
    const nodeId = node()
    await expect(world.driver().launch(contractLaunch(nodeId, { template: wrong }))).rejects.toMatchObject({
      kind: 'denied',
    })
    expect(launches(nodeId)).toEqual([])
  }
})

test('without room, another type in the zone is tried, and then the next zone', async () => {
  const nodeId = node()
  world.proxy.faults.fill({ zone: 'us-east-1a' })
  world.proxy.faults.fill({ zone: 'us-east-1b', instanceType: 'm7g.large' })
  const seen = await world.driver().launch(contractLaunch(nodeId))
  expect(seen).toMatchObject({ zone: 'us-east-1b', instanceType: 'm6g.large' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  const tokens = launches(nodeId).map(({ params }) => params.get('ClientToken'))
  expect(new Set(tokens).size).toBe(4)
})

test('without room anywhere nothing is made, and it is tried anew from the best when there is room again', async () => {
  const nodeId = node()
  world.proxy.faults.fill({})
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'no_capacity' })
  expect(launches(nodeId)).toHaveLength(6)
  await expect(world.driver().get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  world.proxy.faults.empty()
  const seen = await world.driver().launch(contractLaunch(nodeId))
  expect(seen).toMatchObject({ zone: 'us-east-1a', instanceType: 'm7g.large' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('when EC2 is asked too often, that is said, and nothing is made', async () => {
  const nodeId = node()
  world.proxy.faults.throttle('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'throttled' })
  expect(launches(nodeId)).toHaveLength(1)
  world.proxy.faults.throttle('DescribeInstances', 3)
  await expect(world.driver().get(nodeId)).rejects.toMatchObject({ kind: 'throttled' })
  world.proxy.faults.throttle('DescribeInstances', 1)
  await world.driver().launch(contractLaunch(nodeId))
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('a lost answer makes no second machine, even while EC2 does not show the first for 30 s', async () => {
  const nodeId = node()
  world.proxy.instances.hideNewFor(30_000)
  world.proxy.faults.loseAnswer('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  // Another process, which knows no more than the journal.
  const seen = await world.driver().launch(contractLaunch(nodeId))
  const [machine, ...others] = await world.machines.really(nodeId)
  expect(others).toEqual([])
  expect(seen.machineId).toBe(machine?.InstanceId)
  // EC2 has named it, and shows it to nobody yet: it is there all the same.
  const driver = world.driver()
  expect(await driver.get(nodeId)).toMatchObject({ state: 'starting', machineId: machine?.InstanceId })
  expect(await driver.launch(contractLaunch(nodeId))).toMatchObject({ machineId: machine?.InstanceId })
  world.clock.advance(31_000)
  expect(await driver.get(nodeId)).toMatchObject({ machineId: machine?.InstanceId, address: machine?.PrivateIpAddress })
  expect(launches(nodeId)).toHaveLength(2)
})

test('an answer that does not come in time is a lost one', async () => {
  const nodeId = node()
  const gate = world.proxy.faults.hold('RunInstances')
  const impatient = world.driver({ timeoutMs: 100 })
  await expect(impatient.launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  // The request goes on without whoever sent it, and the next one waits for it.
  const again = world.driver().launch(contractLaunch(nodeId))
  gate.open()
  const seen = await again
  expect((await world.machines.really(nodeId)).map(({ InstanceId }) => InstanceId)).toEqual([seen.machineId])
})

test('a request that never arrived is sent again', async () => {
  const nodeId = node()
  world.proxy.faults.loseRequest('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  expect(await world.machines.really(nodeId)).toHaveLength(0)
  await world.driver().launch(contractLaunch(nodeId))
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('a lost answer on the second way is not followed by the first, though that has room again', async () => {
  const nodeId = node()
  world.proxy.instances.hideNewFor(30_000)
  world.proxy.faults.fill({ zone: 'us-east-1a', instanceType: 'm7g.large' })
  const gate = world.proxy.faults.hold('RunInstances')
  const launching = world.driver().launch(contractLaunch(nodeId))
  await gate.arrived
  world.proxy.faults.loseAnswer('RunInstances')
  gate.open()
  // The first way was refused, and it is that answer which was lost: nobody knows more than that.
  await expect(launching).rejects.toMatchObject({ kind: 'unknown' })
  // So the first way is refused once more, and it may not be left before its doubt is over.
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'no_capacity' })
  expect(await world.machines.really(nodeId)).toHaveLength(0)
  world.clock.advance(61_000)
  const second = world.proxy.faults.hold('RunInstances')
  const again = world.driver().launch(contractLaunch(nodeId))
  await second.arrived
  const third = world.proxy.faults.hold('RunInstances')
  second.open()
  await third.arrived
  world.proxy.faults.loseAnswer('RunInstances')
  third.open()
  await expect(again).rejects.toMatchObject({ kind: 'unknown' })
  const [machine] = await world.machines.really(nodeId)
  expect(machine?.InstanceType).toBe('m6g.large')
  // Now there is room for the better type, and EC2 does not show what was made: the journal knows where to go on.
  world.proxy.faults.empty()
  const seen = await world.driver().launch(contractLaunch(nodeId))
  expect(seen.machineId).toBe(machine?.InstanceId)
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('a lost answer after which there is no more room is found by its tag, and not replaced in another zone', async () => {
  const nodeId = node()
  world.proxy.instances.hideNewFor(30_000)
  world.proxy.faults.loseAnswer('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  // EC2 forgets its token, and has no room for another: what nobody promises, it may do.
  world.proxy.forgetTokens()
  world.proxy.faults.fill({ zone: 'us-east-1a' })
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'no_capacity' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  world.clock.advance(61_000)
  const seen = await world.driver().launch(contractLaunch(nodeId))
  const really = await world.machines.really(nodeId)
  expect(really.map(({ InstanceId }) => InstanceId)).toEqual([seen.machineId])
})

test('other settings at a retry make no second machine', async () => {
  const nodeId = node()
  world.proxy.instances.hideNewFor(30_000)
  world.proxy.faults.loseAnswer('RunInstances')
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'unknown' })
  const changed = { ...world.options, volumeGiB: 80 }
  const other = world.driver({ options: changed })
  await expect(other.launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'exists' })
  expect(await world.machines.really(nodeId)).toHaveLength(1)
  world.clock.advance(61_000)
  await other.launch(contractLaunch(nodeId))
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('other settings after a request that did nothing are used, with another token', async () => {
  const nodeId = node()
  world.proxy.faults.fill({})
  await expect(world.driver().launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'no_capacity' })
  world.proxy.faults.empty()
  await world.driver({ options: { ...world.options, volumeGiB: 80 } }).launch(contractLaunch(nodeId))
  expect(await world.machines.really(nodeId)).toHaveLength(1)
})

test('a process that slept between the journal and EC2 ends what it made too late', async () => {
  const nodeId = node()
  const gate = world.proxy.faults.hold('RunInstances')
  const asleep = world.driver().launch(contractLaunch(nodeId))
  await gate.arrived
  // It sleeps longer than any doubt, and there is no room where it wanted to launch.
  world.clock.advance(61_000)
  world.proxy.faults.fill({ zone: 'us-east-1a' })
  const seen = await world.driver().launch(contractLaunch(nodeId))
  expect(seen.zone).toBe('us-east-1b')
  world.proxy.faults.empty()
  gate.open()
  expect(await asleep).toMatchObject({ machineId: seen.machineId })
  expect(launches(nodeId)).toHaveLength(4)
  const really = await world.machines.really(nodeId)
  expect(really.map(({ InstanceId }) => InstanceId)).toEqual([seen.machineId])
})

test('a process that slept until the node was deleted leaves no machine behind', async () => {
  const nodeId = node()
  const gate = world.proxy.faults.hold('RunInstances')
  const asleep = world.driver().launch(contractLaunch(nodeId))
  await gate.arrived
  const driver = world.driver()
  await driver.delete(nodeId)
  // Nobody knows yet what becomes of the request: the node is not gone.
  expect(await driver.get(nodeId)).toMatchObject({ state: 'ending' })
  gate.open()
  await expect(asleep).rejects.toMatchObject({ kind: 'denied' })
  expect(await world.machines.really(nodeId)).toEqual([])
  await expect(driver.launch(contractLaunch(nodeId))).rejects.toMatchObject({ kind: 'denied' })
  world.clock.advance(61_000)
  await expect(driver.get(nodeId)).rejects.toMatchObject({ kind: 'not_found' })
  expect(launches(nodeId)).toHaveLength(1)
})

test('the younger of two machines of a node is ended, by whoever sees both', async () => {
  const nodeId = node()
  const driver = world.driver()
  const { machineId } = await driver.launch(contractLaunch(nodeId))
  await world.machines.duplicate(machineId)
  expect(await world.machines.really(nodeId)).toHaveLength(2)
  const seen = await world.driver().get(nodeId)
  expect(seen.machineId).toBe(machineId)
  expect((await world.machines.really(nodeId)).map(({ InstanceId }) => InstanceId)).toEqual([machineId])
})
