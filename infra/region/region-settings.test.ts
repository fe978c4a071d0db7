import { describe, expect, it } from 'vitest'
import { regions } from '#libs/config'
import { readEc2Options } from '../../apps/provisioner/drivers/ec2/ec2-options.ts'
import { exampleInfra, exampleInstallation, resolved, templateOf } from '../../test/harness/infra.ts'

/** Ids as AWS would give them, by what refers to them. */
function made(reference: string): string {
  if (/Subnet\d/.test(reference)) return `subnet-0${digits(reference)}`
  if (/Groups/.test(reference)) return `sg-0${digits(reference)}`
  if (/Key/.test(reference)) return 'arn:aws:kms:us-east-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000'
  if (/Profile/.test(reference)) return 'arn:aws:iam::111122223333:instance-profile/aqueduct-node'
  if (/DNSName/.test(reference)) return 'nodes.elb.us-east-1.amazonaws.com'
  throw new Error(`what is ${reference}?`)
}

function digits(text: string): string {
  return Buffer.from(text).toString('hex').slice(-12)
}

const { region } = exampleInfra()
const output = templateOf(region).Outputs?.RegionSettings?.Value
const text = String(resolved(output, made))

describe('the output that the product reads as its region', () => {
  const [parsed, ...others] = regions(`[${text}]`)

  it('is one entry of AQUEDUCT_REGIONS', () => {
    const { installation, hostedZoneId, cells } = exampleInstallation()
    expect(others).toEqual([])
    expect(parsed).toMatchObject({
      id: 'aws-us-east-1',
      driver: 'ec2',
      cellSize: cells.size,
      nodeLimit: cells.nodeLimit,
      nodeTemplate: { image: `ssm:/aqueduct/${installation}/node-image`, instanceTypes: cells.instanceTypes },
      dns: { provider: 'route53', hostedZoneId },
    })
  })

  it('has options that the EC2 driver takes, every one of them', () => {
    const { installation, zones, awsRegion } = exampleInstallation()
    const options = readEc2Options('aws-us-east-1', parsed?.options ?? {})
    expect(options).toMatchObject({
      installation,
      awsRegion,
      joinUrls: ['https://nodes.elb.us-east-1.amazonaws.com:7097'],
      discoveryUrl: 'https://nodes.elb.us-east-1.amazonaws.com:7095',
      kmsKeyId: expect.stringContaining(':key/'),
    })
    expect(options.subnets.map(({ zone }) => zone)).toEqual(zones)
    expect(options.edgeSubnets.map(({ zone }) => zone)).toEqual(zones)
    const ids = [...options.subnets, ...options.edgeSubnets].map(({ id }) => id)
    expect(new Set(ids).size).toBe(6)
    expect(options.securityGroups.node).not.toEqual(options.securityGroups.edge)
  })
})
