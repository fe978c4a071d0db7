import { pino } from 'pino'
import { afterAll, expect, test } from 'vitest'
import type { Region } from '#libs/config'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { createEc2Drivers } from './create-ec2-drivers.ts'

// Nothing is asked of it here.
const database = new Database({
  url: 'postgres://127.0.0.1:1/none',
  poolSize: 1,
  applicationName: 'none',
  onIdleError: () => undefined,
})
afterAll(() => database.close())
const deps = { database, sealer: sealer(Buffer.alloc(32)), logger: pino({ enabled: false }) }

function region(id: string, over: Partial<Region> = {}, options: Readonly<Record<string, unknown>> = {}): Region {
  return {
    id,
    driver: 'ec2',
    location: id,
    cellSize: 'dev',
    nodeLimit: 10,
    nodeTemplate: {},
    dns: { provider: 'none' },
    options: {
      awsRegion: 'us-east-1',
      installation: 'prod',
      subnets: [{ id: 'subnet-0a', zone: 'us-east-1a' }],
      edgeSubnets: [{ id: 'subnet-0b', zone: 'us-east-1a' }],
      securityGroups: { node: ['sg-0a'], edge: ['sg-0b'] },
      instanceProfile: 'arn:aws:iam::123456789012:instance-profile/aqueduct-node',
      joinUrls: ['https://control.internal:7097'],
      discoveryUrl: 'https://control.internal:7095',
      ...options,
    },
    ...over,
  }
}

test('each region on EC2 has a driver of its own, which says where its machines join', () => {
  const other = region('aws-eu-west-1', {}, { awsRegion: 'eu-west-1' })
  const drivers = createEc2Drivers(deps, [region('aws-us-east-1'), other, region('aws-us-west-2', { driver: 'local' })])
  expect([...drivers.keys()]).toEqual(['aws-us-east-1', 'aws-eu-west-1'])
  expect(drivers.get('aws-us-east-1')).not.toBe(drivers.get('aws-eu-west-1'))
  expect(drivers.get('aws-us-east-1')?.join).toEqual({
    joinUrls: ['https://control.internal:7097'],
    discoveryUrl: 'https://control.internal:7095',
  })
})

test('two regions in one place would take each other’s machines for theirs', () => {
  const both = [region('aws-us-east-1'), region('aws-us-east-2')]
  expect(() => createEc2Drivers(deps, both)).toThrow(
    'the regions aws-us-east-1 and aws-us-east-2 are both in us-east-1 as prod',
  )
})

test('a wrong option ends the start, and is named', () => {
  expect(() => createEc2Drivers(deps, [region('aws-us-east-1', {}, { subnets: [] })])).toThrow(
    'region aws-us-east-1: options.subnets must be a list',
  )
})
