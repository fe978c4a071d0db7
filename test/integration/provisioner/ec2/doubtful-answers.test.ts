import { pino } from 'pino'
import { beforeEach, expect, test } from 'vitest'
import { Ec2Driver } from '../../../../apps/provisioner/drivers/ec2/driver.ts'
import type { Ec2Calls, Machine } from '../../../../apps/provisioner/drivers/ec2/ec2-calls.ts'
import { readEc2Options } from '../../../../apps/provisioner/drivers/ec2/ec2-options.ts'
import { tagNames } from '../../../../apps/provisioner/drivers/ec2/tags.ts'
import { contractLaunch } from '../../../harness/contract-launch.ts'
import { MemoryJournal } from '../../../harness/ec2-stand-ins/memory-journal.ts'
import { MemoryMailbox } from '../../../harness/ec2-stand-ins/memory-mailbox.ts'
import { ShiftedClock } from '../../../harness/shifted-clock.ts'

/** What the driver makes of answers that Moto never gives: EC2 says nothing of what is there, and shows what somebody else tagged. */

const options = readEc2Options('aws-us-east-1', {
  awsRegion: 'us-east-1',
  installation: 'test',
  subnets: [{ id: 'subnet-0a', zone: 'us-east-1a' }],
  edgeSubnets: [{ id: 'subnet-0b', zone: 'us-east-1a' }],
  securityGroups: { node: ['sg-0a'], edge: ['sg-0b'] },
  instanceProfile: 'arn:aws:iam::123456789012:instance-profile/node',
  joinUrls: ['https://control.internal:7097'],
  discoveryUrl: 'https://control.internal:7095',
})
const nodeId = 'node-1'
let clock: ShiftedClock
let mailbox: MemoryMailbox
let shown: Machine[]
let ended: string[]
let driver: Ec2Driver

const machine = (id: string, address: string): Machine => ({
  id,
  state: 'running',
  reason: '',
  address,
  launchedAt: clock.now(),
  tags: { [tagNames.installation]: 'test', [tagNames.cell]: 'cell-contract', [tagNames.node]: nodeId },
})

beforeEach(async () => {
  clock = new ShiftedClock()
  mailbox = new MemoryMailbox(clock)
  shown = []
  ended = []
  const calls: Partial<Ec2Calls> = {
    describeInstances: async () => ({ items: shown }),
    describeInstanceStatus: async () => ({ items: [] }),
    runInstances: async () => machine('i-real', '10.0.0.1'),
    terminateInstances: async ({ ids }) => {
      ended.push(...ids)
      shown = shown.filter(({ id }) => !ids.includes(id))
    },
  }
  driver = new Ec2Driver({
    options,
    calls: calls as Ec2Calls,
    mailbox,
    journal: new MemoryJournal(),
    clock,
    logger: pino({ enabled: false }),
  })
  await driver.launch(contractLaunch(nodeId))
})

test('a node that speaks is not given up because EC2 shows nothing', async () => {
  shown = [machine('i-real', '10.0.0.1')]
  clock.advance(10 * 60_000)
  mailbox.report(nodeId, { state: 'ready', generation: 1, detail: '' })
  expect(await driver.get(nodeId)).toMatchObject({ state: 'ready', machineId: 'i-real' })
  // An empty list: of another account, or of a service that is out of order.
  shown = []
  clock.advance(10_000)
  await expect(driver.get(nodeId)).rejects.toMatchObject({
    kind: 'unknown',
    message: expect.stringContaining('speaks'),
  })
  // Once it is silent, too, it is gone.
  clock.advance(60_000)
  expect(await driver.get(nodeId)).toMatchObject({ state: 'failed', machineId: 'i-real' })
})

test('a machine that somebody gave the tag of a node which EC2 does not show yet is not the node', async () => {
  shown = [machine('i-foreign', '10.0.0.66')]
  const seen = await driver.get(nodeId)
  expect(seen).toMatchObject({ state: 'starting', machineId: 'i-real' })
  expect(seen.address).toBeUndefined()
  expect(ended).toEqual(['i-foreign'])
})
