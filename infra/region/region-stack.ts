import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import { Effect, InstanceProfile, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import type { DataStack } from '../data/data-stack.ts'
import type { EncryptionKey } from '../data/encryption-key.ts'
import type { Installation } from '../installation.ts'
import { LogGroups } from '../logs/log-groups.ts'
import { names } from '../names.ts'
import { controlPlanePorts } from '../network/control-plane-ports.ts'
import { InternalBalancer } from '../network/internal-balancer.ts'
import type { NetworkStack } from '../network/network-stack.ts'

export interface RegionStackProps extends StackProps {
  readonly installation: Installation
  readonly encryption: EncryptionKey
  readonly network: NetworkStack
  readonly data: DataStack
}

/**
 * What cells need before the first of them is there: what a node may do, where it finds discovery and join, and the
 * settings by which the product makes nodes here.
 */
export class RegionStack extends Stack {
  readonly nodeRole: Role
  readonly balancer: InternalBalancer
  readonly logs: LogGroups
  /** One entry of AQUEDUCT_REGIONS, as JSON. */
  readonly regionSettings: string

  constructor(scope: Construct, id: string, props: RegionStackProps) {
    const { installation, encryption, network, data, ...rest } = props
    super(scope, id, rest)
    const { installation: name } = installation
    this.logs = new LogGroups(this, 'Logs', { installation: name, key: encryption.key })
    this.nodeRole = new Role(this, 'Node', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      description: 'Nodes of cells: they write their logs, and nothing else',
    })
    this.logs.allowWriting(this.nodeRole, 'node')
    this.nodeRole.addToPolicy(
      new PolicyStatement({
        sid: 'NothingElse',
        effect: Effect.DENY,
        notActions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
        resources: ['*'],
      }),
    )
    const profile = new InstanceProfile(this, 'NodeProfile', { role: this.nodeRole })
    this.balancer = new InternalBalancer(this, 'Balancer', {
      vpc: network.vpc,
      groups: network.groups,
      accessLogs: data.accessLogs,
    })
    const { discovery, join } = controlPlanePorts
    const at = (port: number): string => `https://${this.balancer.nodes.loadBalancerDnsName}:${port}`
    const zoned = (subnets: NetworkStack['privateSubnets']) =>
      subnets.map(({ subnetId }, index) => ({ id: subnetId, zone: installation.zones[index] ?? '' }))
    const { groups } = network
    this.regionSettings = this.toJsonString({
      id: `aws-${installation.awsRegion}`,
      driver: 'ec2',
      location: `AWS ${installation.awsRegion}`,
      cellSize: installation.cells.size,
      nodeLimit: installation.cells.nodeLimit,
      nodeTemplate: {
        image: `ssm:${names(name).imageParameters.node}`,
        instanceTypes: installation.cells.instanceTypes,
      },
      dns: { provider: 'route53', hostedZoneId: installation.hostedZoneId },
      options: {
        awsRegion: installation.awsRegion,
        installation: name,
        subnets: zoned(network.privateSubnets),
        edgeSubnets: zoned(network.publicSubnets),
        securityGroups: { node: [groups.nodes.securityGroupId], edge: [groups.edges.securityGroupId] },
        instanceProfile: profile.instanceProfileArn,
        kmsKeyId: encryption.key.keyArn,
        joinUrls: [at(join)],
        discoveryUrl: at(discovery),
      },
    })
    new CfnOutput(this, 'RegionSettings', {
      value: this.regionSettings,
      description: 'One entry of AQUEDUCT_REGIONS',
    })
  }
}
