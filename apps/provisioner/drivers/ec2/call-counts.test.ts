import { pino } from 'pino'
import { beforeEach, expect, test } from 'vitest'
import { MemoryJournal } from '../../../../test/harness/ec2-stand-ins/memory-journal.ts'
import { MemoryMailbox } from '../../../../test/harness/ec2-stand-ins/memory-mailbox.ts'
import { Ec2Driver } from './driver.ts'
import type { Ec2Calls, Machine, Page } from './ec2-calls.ts'
import { readEc2Options } from './ec2-options.ts'
import { freshMs } from './machine-reader.ts'
import { tagNames } from './tags.ts'

/** EC2's bounds: items of a page, and values of a filter. */
const pageSize = 1_000
const filterValues = 200

let asked: string[]
/** What each DescribeInstances waits for. */
let gate: Promise<void>
let mailbox: MemoryMailbox
let time: number
// It stands still: however slow the machine is that counts.
const clock = { now: () => new Date(time) }
beforeEach(() => {
  asked = []
  gate = Promise.resolve()
  time = Date.parse('2026-01-01T12:00:00Z')
  mailbox = new MemoryMailbox(clock)
})

const nodeIds = (count: number) => Array.from({ length: count }, (_, index) => `node-${index}`)

/** A region with that many nodes, in which every call is noted. */
function driverOf(count: number): Ec2Driver {
  const launchedAt = clock.now()
  const all = nodeIds(count).map((nodeId, index): Machine => {
    const tags = { [tagNames.node]: nodeId, [tagNames.cell]: 'cell-1' }
    return { id: `i-${index}`, state: 'running', reason: '', address: `10.0.0.${index}`, launchedAt, tags }
  })
  const unused = async () => {
    throw new Error('this call is not expected')
  }
  const calls: Ec2Calls = {
    runInstances: unused,
    terminateInstances: unused,
    allocateAddress: unused,
    associateAddress: unused,
    disassociateAddress: unused,
    describeAddresses: unused,
    releaseAddress: unused,
    describeVolumes: unused,
    deleteVolume: unused,
    getParameter: unused,
    describeInstanceStatus: async ({ of }) => {
      asked.push(of)
      return { items: [] }
    },
    describeInstances: async ({ tags, next }): Promise<Page<Machine>> => {
      const wanted = tags[tagNames.node]
      if ((wanted?.length ?? 0) > filterValues) throw new Error('EC2 takes no more values')
      asked.push(wanted === undefined ? 'all' : 'some')
      await gate
      const matching = all.filter((machine) => wanted?.includes(machine.tags[tagNames.node] ?? '') ?? true)
      const from = Number(next ?? 0)
      const more = from + pageSize < matching.length
      return { items: matching.slice(from, from + pageSize), ...(more ? { next: String(from + pageSize) } : {}) }
    },
  }
  const options = readEc2Options('aws-us-east-1', {
    awsRegion: 'us-east-1',
    installation: 'prod',
    subnets: [{ id: 'subnet-0a', zone: 'us-east-1a' }],
    edgeSubnets: [{ id: 'subnet-0b', zone: 'us-east-1a' }],
    securityGroups: { node: ['sg-0a'], edge: ['sg-0b'] },
    instanceProfile: 'arn:aws:iam::123456789012:instance-profile/aqueduct-node',
    joinUrls: ['https://control.internal:7097'],
    discoveryUrl: 'https://control.internal:7095',
  })
  return new Ec2Driver({
    options,
    calls,
    mailbox,
    journal: new MemoryJournal(),
    clock,
    logger: pino({ enabled: false }),
  })
}

/** As the queue does it: so many passes at once. */
async function passOver(driver: Ec2Driver, ids: readonly string[], atOnce = 20): Promise<void> {
  const left = [...ids]
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) await driver.get(id)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

test('a pass over a fleet asks once for every 1,000 nodes, and a little besides', async () => {
  const driver = driverOf(5_200)
  await passOver(driver, nodeIds(5_200))
  const describes = asked.filter((what) => what === 'all' || what === 'some').length
  expect(describes).toBeLessThanOrEqual(2 + 6)
  expect(asked.filter((what) => what.startsWith('with-'))).toHaveLength(3)
  // A minute of such passes asks for events and checks once.
  time += 30_000
  await passOver(driver, nodeIds(100))
  expect(asked.filter((what) => what.startsWith('with-'))).toHaveLength(3)
})

test('questions of one moment are one question, to EC2 and to the mailbox', async () => {
  const driver = driverOf(500)
  await Promise.all(nodeIds(150).map((id) => driver.get(id)))
  expect(asked.filter((what) => what === 'some')).toHaveLength(1)
  expect(mailbox.reads).toBeLessThanOrEqual(2)
})

test('more nodes than a filter takes are looked up among all', async () => {
  const driver = driverOf(500)
  await Promise.all(nodeIds(500).map((id) => driver.get(id)))
  expect(asked.filter((what) => what === 'all' || what === 'some')).toEqual(['all'])
})

test('a look at all machines answers for a short while, and no longer', async () => {
  const driver = driverOf(500)
  await driver.list()
  await passOver(driver, nodeIds(500))
  expect(asked.filter((what) => what === 'some')).toEqual([])
  time += freshMs
  await driver.get('node-1')
  expect(asked.filter((what) => what === 'some')).toHaveLength(1)
})

test('who asks while all machines are looked at waits for that, and two listings more are one', async () => {
  const driver = driverOf(500)
  const opening = Promise.withResolvers<void>()
  gate = opening.promise
  const first = driver.list()
  const others = [driver.list(), driver.list(), ...nodeIds(300).map((id) => driver.get(id))]
  opening.resolve()
  await Promise.all([first, ...others])
  expect(asked.filter((what) => what === 'all' || what === 'some')).toEqual(['all', 'all'])
})
