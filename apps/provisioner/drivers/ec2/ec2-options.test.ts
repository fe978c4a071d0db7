import { expect, test } from 'vitest'
import { readEc2Options } from './ec2-options.ts'

const good = {
  awsRegion: 'us-east-1',
  installation: 'prod',
  subnets: [{ id: 'subnet-0a', zone: 'us-east-1a' }],
  edgeSubnets: [{ id: 'subnet-0b', zone: 'us-east-1a' }],
  securityGroups: { node: ['sg-0a'], edge: ['sg-0b'] },
  instanceProfile: 'arn:aws:iam::123456789012:instance-profile/aqueduct-node',
  joinUrls: ['https://control.internal:7097/'],
  discoveryUrl: 'https://control.internal:7095',
}
const read = (over: Readonly<Record<string, unknown>>) => readEc2Options('aws-us-east-1', { ...good, ...over })

test('what infra prints is read, and the rest has defaults', () => {
  expect(read({})).toEqual({
    ...good,
    joinUrls: ['https://control.internal:7097'],
    volumeGiB: 50,
    rootDevice: '/dev/xvda',
  })
  const kmsKeyId = 'arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef'
  const all = { kmsKeyId, volumeGiB: 100, rootDevice: '/dev/sda1', endpoint: 'http://127.0.0.1:5000', prices: {} }
  const { prices: _others, ...expected } = all
  expect(read(all)).toMatchObject(expected)
})

test.for([
  [{ awsRegion: undefined }, 'options.awsRegion must be text like us-east-1'],
  [{ awsRegion: 'us-east-1a' }, 'options.awsRegion must be'],
  [{ installation: 'Prod!' }, 'options.installation must be text like prod'],
  [{ subnets: [] }, 'options.subnets must be a list with at least one {"id", "zone"}'],
  [{ subnets: [{ id: 'vpc-1', zone: 'us-east-1a' }] }, 'options.subnets[0].id must be text like subnet-'],
  [{ subnets: ['subnet-0a'] }, 'options.subnets[0] must be an object with "id" and "zone"'],
  [
    { edgeSubnets: [{ id: 'subnet-0a', zone: 'us-east-1' }] },
    'options.edgeSubnets[0].zone must be text like us-east-1a',
  ],
  [{ subnets: [good.subnets[0], { id: 'subnet-0c', zone: 'us-east-1a' }] }, 'names the zone us-east-1a twice'],
  [{ securityGroups: { node: ['sg-0a'] } }, 'options.securityGroups.edge must be a list'],
  [{ securityGroups: { node: ['0a'], edge: ['sg-0b'] } }, 'options.securityGroups.node[0] must be text like sg-'],
  [
    { securityGroups: { ...good.securityGroups, all: [] } },
    'options.securityGroups must have "node" and "edge", and no more',
  ],
  [{ instanceProfile: 'aqueduct-node' }, 'options.instanceProfile must be text like arn:aws:iam::'],
  [{ kmsKeyId: 'alias/ebs' }, 'options.kmsKeyId must be text like arn:aws:kms:'],
  [{ volumeGiB: '50' }, 'options.volumeGiB must be a whole number from 8 to 16384'],
  [{ rootDevice: 'xvda' }, 'options.rootDevice must be text like /dev/xvda'],
  [{ joinUrls: ['http://control.internal:7097'] }, 'options.joinUrls[0] must be a URL like https://'],
  [{ discoveryUrl: 'control.internal' }, 'options.discoveryUrl must be a URL like https://'],
  [{ endpoint: 'moto' }, 'options.endpoint must be a URL like http://'],
  [{ subnet: 'subnet-0a' }, 'options.subnet is not known: write only awsRegion, installation'],
] as const)('%j is refused: %s', ([over, message]) => {
  expect(() => read(over)).toThrow('AQUEDUCT_REGIONS: region aws-us-east-1: ')
  expect(() => read(over)).toThrow(message)
})
