import { type IVpc, SubnetType } from 'aws-cdk-lib/aws-ec2'
import { NetworkLoadBalancer, NetworkTargetGroup, Protocol, TargetType } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { controlPlanePorts } from './control-plane-ports.ts'
import type { SecurityGroups } from './security-groups.ts'

export interface InternalBalancerProps {
  readonly vpc: IVpc
  readonly groups: SecurityGroups
  readonly accessLogs: IBucket
}

/**
 * Where nodes find discovery and join. TLS is passed through, since nodes show certificates, and their addresses are
 * kept: a join is bound to the address that the driver saw.
 */
export class InternalBalancer extends Construct {
  readonly nodes: NetworkLoadBalancer
  /** For the machines of the discovery server. */
  readonly targets: readonly NetworkTargetGroup[]

  constructor(scope: Construct, id: string, { vpc, groups, accessLogs }: InternalBalancerProps) {
    super(scope, id)
    const { discovery, join } = controlPlanePorts
    this.nodes = new NetworkLoadBalancer(this, 'Nodes', {
      vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      internetFacing: false,
      securityGroups: [groups.nodesBalancer],
      crossZoneEnabled: true,
      deletionProtection: true,
    })
    this.nodes.logAccessLogs(accessLogs, 'nodes')
    this.targets = [discovery, join].map((port) => {
      const target = new NetworkTargetGroup(this, `Targets${port}`, {
        vpc,
        port,
        protocol: Protocol.TCP,
        targetType: TargetType.INSTANCE,
        preserveClientIp: true,
        healthCheck: { protocol: Protocol.TCP, port: String(port) },
      })
      this.nodes.addListener(`Listener${port}`, {
        port,
        protocol: Protocol.TCP,
        defaultTargetGroups: [target],
      })
      return target
    })
  }
}
