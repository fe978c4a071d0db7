import { RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type ISubnet,
  type IVpc,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { EncryptionKey } from '../data/encryption-key.ts'
import type { Installation } from '../installation.ts'
import { SecurityGroups } from './security-groups.ts'

export interface NetworkStackProps extends StackProps {
  readonly installation: Installation
  readonly encryption: EncryptionKey
}

/**
 * One VPC over three zones. Public subnets hold load balancers, the ways out and edges; private ones everything else that
 * runs; isolated ones, which lead nowhere, the databases.
 */
export class NetworkStack extends Stack {
  readonly vpc: IVpc
  readonly groups: SecurityGroups
  readonly publicSubnets: readonly ISubnet[]
  readonly privateSubnets: readonly ISubnet[]

  constructor(scope: Construct, id: string, { installation, encryption, ...props }: NetworkStackProps) {
    super(scope, id, props)
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(installation.vpcCidr),
      availabilityZones: [...installation.zones],
      natGateways: installation.natGateways,
      subnetConfiguration: [
        // No machine gets a public address by being there: edges get theirs from the driver, by slot.
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 20, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 19 },
        { name: 'isolated', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      gatewayEndpoints: { s3: { service: GatewayVpcEndpointAwsService.S3 } },
    }) as IVpc
    const flows = new LogGroup(this, 'Flows', {
      retention: RetentionDays.THREE_MONTHS,
      encryptionKey: encryption.key,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.vpc.addFlowLog('FlowLog', {
      destination: FlowLogDestination.toCloudWatchLogs(flows),
      trafficType: FlowLogTrafficType.ALL,
    })
    this.publicSubnets = this.vpc.publicSubnets
    this.privateSubnets = this.vpc.privateSubnets
    this.groups = new SecurityGroups(this, 'Groups', {
      vpc: this.vpc,
      operatorCidrs: installation.operatorCidrs,
    })
  }
}
