import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from '@aws-sdk/client-cloudformation'
import {
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { Stack } from 'aws-cdk-lib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { regions } from '#libs/config'
import { readEc2Options } from '../../../apps/provisioner/drivers/ec2/ec2-options.ts'
import { exampleInfra, exampleInstallation, templateOf } from '../../harness/infra.ts'
import { type Moto, startMoto } from '../../harness/moto.ts'
import { forMoto, unknownToMoto } from './for-moto.ts'

/** Every stack, deployed to Moto as far as it knows the types, and looked at through AWS' own API. */

const infra = exampleInfra()
const stacks = Object.values(infra).filter((stack) => stack instanceof Stack)
let moto: Moto
let clients: { readonly formation: CloudFormationClient; readonly ec2: EC2Client; readonly ssm: SSMClient }

beforeAll(async () => {
  moto = await startMoto()
  const common = {
    endpoint: moto.url,
    // An answer that is lost is a mistake here, and a second try would hide it.
    maxAttempts: 1,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'none' },
  }
  clients = {
    formation: new CloudFormationClient(common),
    ec2: new EC2Client(common),
    ssm: new SSMClient(common),
  }
  // What `cdk bootstrap` leaves in an account, and every template asks for.
  await clients.ssm.send(
    new PutParameterCommand({ Name: '/cdk-bootstrap/hnb659fds/version', Value: '21', Type: 'String' }),
  )
  await clients.ssm.send(
    new PutParameterCommand({ Name: '/aqueduct/prod/control-plane-image', Value: 'ami-12c6146b', Type: 'String' }),
  )
  for (const stack of stacks) {
    await clients.formation.send(
      new CreateStackCommand({
        StackName: stack.stackName,
        TemplateBody: JSON.stringify(forMoto(templateOf(stack))),
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
      }),
    )
  }
}, 300_000)
afterAll(async () => {
  await moto?.stop()
})

async function outputOf(stack: Stack, key: string): Promise<string> {
  const { Stacks = [] } = await clients.formation.send(new DescribeStacksCommand({ StackName: stack.stackName }))
  const found = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === key)
  return found?.OutputValue ?? ''
}

/** Moto has IAM behind the same address, and checks no signature. */
async function iam(parameters: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetch(moto.url, {
    method: 'POST',
    headers: {
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ Version: '2010-05-08', ...parameters }),
  })
  return await answer.text()
}

describe('the stacks, deployed', () => {
  it('are all there, with everything that Moto knows', async () => {
    expect(stacks).toHaveLength(6)
    for (const stack of stacks) {
      const { Stacks = [] } = await clients.formation.send(new DescribeStacksCommand({ StackName: stack.stackName }))
      expect(Stacks[0]?.StackStatus, stack.stackName).toBe('CREATE_COMPLETE')
      const { StackResourceSummaries = [] } = await clients.formation.send(
        new ListStackResourcesCommand({ StackName: stack.stackName }),
      )
      const there = StackResourceSummaries.map(({ LogicalResourceId }) => LogicalResourceId).toSorted()
      expect(there, stack.stackName).toEqual(Object.keys(forMoto(templateOf(stack)).Resources).toSorted())
    }
  })

  it('leave out what Moto does not know, and no more', () => {
    const used = new Set(stacks.flatMap((stack) => Object.values(templateOf(stack).Resources).map(({ Type }) => Type)))
    expect(unknownToMoto.filter((type) => !used.has(type))).toEqual([])
  })

  it('make one VPC with nine subnets in three zones, of which none gives addresses away', async () => {
    const { vpcCidr, zones } = exampleInstallation()
    const { Vpcs = [] } = await clients.ec2.send(
      new DescribeVpcsCommand({ Filters: [{ Name: 'is-default', Values: ['false'] }] }),
    )
    expect(Vpcs.map(({ CidrBlock }) => CidrBlock)).toEqual([vpcCidr])
    const { Subnets = [] } = await clients.ec2.send(
      new DescribeSubnetsCommand({ Filters: [{ Name: 'vpc-id', Values: [Vpcs[0]?.VpcId ?? ''] }] }),
    )
    expect(Subnets).toHaveLength(9)
    for (const zone of zones)
      expect(Subnets.filter(({ AvailabilityZone }) => AvailabilityZone === zone)).toHaveLength(3)
    expect(Subnets.filter(({ MapPublicIpOnLaunch }) => MapPublicIpOnLaunch)).toEqual([])
  })

  it('let the world reach an edge on one port, and a node on none', async () => {
    const options = await regionOptions()
    const open = async (ids: readonly string[]) => {
      const { SecurityGroups = [] } = await clients.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [...ids] }))
      return SecurityGroups.flatMap(({ IpPermissions = [] }) => IpPermissions)
        .filter(({ IpRanges = [] }) => IpRanges.some(({ CidrIp }) => CidrIp === '0.0.0.0/0'))
        .map(({ FromPort, ToPort, IpProtocol }) => [FromPort, ToPort, IpProtocol])
    }
    expect(await open(options.securityGroups.edge)).toEqual([[7233, 7233, 'tcp']])
    expect(await open(options.securityGroups.node)).toEqual([])
  })

  it('print a region that the product reads, whose subnets and groups are there', async () => {
    const { awsRegion, installation } = exampleInstallation()
    const options = await regionOptions()
    expect(options).toMatchObject({ awsRegion, installation })
    const ids = (subnets: typeof options.subnets) => subnets.map(({ id }) => id)
    const { Subnets = [] } = await clients.ec2.send(
      new DescribeSubnetsCommand({ SubnetIds: [...ids(options.subnets), ...ids(options.edgeSubnets)] }),
    )
    for (const { id, zone } of [...options.subnets, ...options.edgeSubnets]) {
      expect(Subnets.find(({ SubnetId }) => SubnetId === id)?.AvailabilityZone).toBe(zone)
    }
  })

  it('give the parts of the control plane the same region', async () => {
    const { Parameter } = await clients.ssm.send(
      new GetParameterCommand({ Name: '/aqueduct/prod/settings/provisioner' }),
    )
    const { environment } = JSON.parse(Parameter?.Value ?? '{}') as { readonly environment: Record<string, string> }
    expect(environment.AQUEDUCT_REGIONS).toBe(`[${await outputOf(infra.region, 'RegionSettings')}]`)
  })

  it('make roles that only machines can have, and give nodes no policy but for their logs', async () => {
    const roles = await iam({ Action: 'ListRoles', MaxItems: '100' })
    const names = [...roles.matchAll(/<RoleName>(aqueduct-prod-[^<]*)<\/RoleName>/g)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThanOrEqual(6)
    const node = names.find((name) => name.startsWith('aqueduct-prod-region-Node')) ?? ''
    const trust = decodeURIComponent(await iam({ Action: 'GetRole', RoleName: node }))
    expect(trust).toContain('ec2.amazonaws.com')
    const inline = await iam({ Action: 'ListRolePolicies', RoleName: node })
    const attached = await iam({ Action: 'ListAttachedRolePolicies', RoleName: node })
    expect(attached).not.toContain('<PolicyName>')
    expect([...inline.matchAll(/<member>([^<]*)/g)]).toHaveLength(2)
    const provisioner = names.find((name) => name.includes('ProvisionerRole')) ?? ''
    const calls = await iam({ Action: 'ListAttachedRolePolicies', RoleName: provisioner })
    expect([...calls.matchAll(/<PolicyName>/g)]).toHaveLength(1)
  })
})

async function regionOptions() {
  const text = await outputOf(infra.region, 'RegionSettings')
  const [region] = regions(`[${text}]`)
  // Moto's ids of keys and load balancers are as AWS', but for the account in them.
  return readEc2Options(region?.id ?? '', region?.options ?? {})
}
