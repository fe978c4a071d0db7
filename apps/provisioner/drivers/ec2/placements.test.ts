import { expect, test } from 'vitest'
import type { NodeLaunch } from '../contract.ts'
import type { Ec2Options } from './ec2-options.ts'
import { placementsOf } from './placements.ts'

const inZones = (kind: string) => ['a', 'b', 'c'].map((zone) => ({ id: `${kind}-${zone}`, zone }))
const options: Ec2Options = {
  awsRegion: 'us-east-1',
  installation: 'prod',
  subnets: inZones('node'),
  edgeSubnets: inZones('edge'),
  securityGroups: { node: [], edge: [] },
  instanceProfile: '',
  volumeGiB: 50,
  rootDevice: '/dev/xvda',
  joinUrls: [],
  discoveryUrl: '',
}
const launch: NodeLaunch = {
  nodeId: 'node-1',
  cellId: 'cell-1',
  role: 'history',
  slotId: 'history-0',
  zone: 0,
  template: { serverVersion: '1.32.2', instanceTypes: { history: ['big', 'old'], default: ['small'] } },
  userData: '',
}
const shown = (over: Partial<NodeLaunch>) =>
  placementsOf(options, { ...launch, ...over }).map(({ instanceType, subnetId }) => `${instanceType}@${subnetId}`)

test('every type in the zone that it is to be in, then every type in the next', () => {
  expect(shown({ zone: 1 })).toEqual([
    'big@node-b',
    'old@node-b',
    'big@node-c',
    'old@node-c',
    'big@node-a',
    'old@node-a',
  ])
  expect(shown({ zone: 7 })).toEqual(shown({ zone: 1 }))
})

test('a role that is not named has the default types, and an edge the subnets of edges', () => {
  expect(shown({ role: 'edge' })).toEqual(['small@edge-a', 'small@edge-b', 'small@edge-c'])
  expect(shown({ role: 'all' })).toEqual(shown({ role: 'edge' }))
  expect(shown({ role: 'matching' })[0]).toBe('small@node-a')
})

test('no types, no way', () => {
  expect(shown({ template: { serverVersion: '1.32.2' } })).toEqual([])
})
