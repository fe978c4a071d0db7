import { CfnOutput } from 'aws-cdk-lib'
import type { AutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import { type IVpc, SubnetType } from 'aws-cdk-lib/aws-ec2'
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationProtocolVersion,
  ApplicationTargetGroup,
  DesyncMitigationMode,
  ListenerCertificate,
  ListenerCondition,
  NetworkLoadBalancer,
  NetworkTargetGroup,
  Protocol,
  SslPolicy,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { CfnRecordSet } from 'aws-cdk-lib/aws-route53'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { Installation } from '../installation.ts'
import { controlPlanePorts } from '../network/control-plane-ports.ts'
import type { SecurityGroups } from '../network/security-groups.ts'

export interface PublicBalancersProps {
  readonly installation: Installation
  readonly vpc: IVpc
  readonly groups: SecurityGroups
  readonly accessLogs: IBucket
}

/** gRPC's paths: whatever else is asked for is REST. */
const grpcPaths = ['/temporal.api.cloud.cloudservice.v1.CloudService/*']

/**
 * The doors of the API. The public one ends TLS with a certificate that the world trusts, and speaks TLS once more to the
 * machines. The two others pass TLS through, callers' addresses and certificates with it: for callers who want the API's
 * own certificate, and, inside the VPC, for operators.
 */
export class PublicBalancers extends Construct {
  readonly api: ApplicationLoadBalancer
  readonly callers: NetworkLoadBalancer
  readonly operators: NetworkLoadBalancer
  readonly applicationTargets: readonly ApplicationTargetGroup[]
  readonly networkTargets: readonly NetworkTargetGroup[]

  constructor(scope: Construct, id: string, { installation, vpc, groups, accessLogs }: PublicBalancersProps) {
    super(scope, id)
    const { https, grpcTls, operator } = controlPlanePorts
    this.api = new ApplicationLoadBalancer(this, 'Api', {
      vpc,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      internetFacing: true,
      securityGroup: groups.apiBalancer,
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: DesyncMitigationMode.STRICTEST,
    })
    this.api.logAccessLogs(accessLogs, 'api')
    const common = { vpc, protocol: ApplicationProtocol.HTTPS, targetType: TargetType.INSTANCE }
    const rest = new ApplicationTargetGroup(this, 'Rest', {
      ...common,
      port: https,
      protocolVersion: ApplicationProtocolVersion.HTTP1,
      healthCheck: { path: '/readyz', healthyHttpCodes: '200' },
    })
    const grpc = new ApplicationTargetGroup(this, 'Grpc', {
      ...common,
      port: grpcTls,
      protocolVersion: ApplicationProtocolVersion.GRPC,
      // A method that nobody has: whoever says UNIMPLEMENTED serves.
      healthCheck: { path: '/AWS.ALB/healthcheck', healthyGrpcCodes: '12' },
    })
    this.applicationTargets = [rest, grpc]
    const listener = new ApplicationListener(this, 'Https', {
      loadBalancer: this.api,
      port: 443,
      open: false,
      protocol: ApplicationProtocol.HTTPS,
      certificates: [ListenerCertificate.fromArn(installation.certificateArn)],
      sslPolicy: SslPolicy.TLS13_RES,
      defaultTargetGroups: [rest],
    })
    listener.addTargetGroups('GrpcPaths', {
      priority: 10,
      conditions: [ListenerCondition.pathPatterns(grpcPaths)],
      targetGroups: [grpc],
    })
    this.callers = this.#passing('Callers', { vpc, securityGroup: groups.callersBalancer, isPublic: true, accessLogs })
    this.operators = this.#passing('Operators', {
      ...{ vpc, securityGroup: groups.operatorsBalancer, isPublic: false, accessLogs },
    })
    this.networkTargets = [
      ...[https, grpcTls].map((port) => this.#forward(this.callers, vpc, port)),
      this.#forward(this.operators, vpc, operator),
    ]
    this.#name(installation)
  }

  attach(group: AutoScalingGroup): void {
    for (const target of this.applicationTargets) group.attachToApplicationTargetGroup(target)
    for (const target of this.networkTargets) group.attachToNetworkTargetGroup(target)
  }

  #passing(
    id: string,
    options: {
      readonly vpc: IVpc
      readonly securityGroup: SecurityGroups['callersBalancer']
      readonly isPublic: boolean
      readonly accessLogs: IBucket
    },
  ): NetworkLoadBalancer {
    const { vpc, securityGroup, isPublic, accessLogs } = options
    const balancer = new NetworkLoadBalancer(this, id, {
      vpc,
      vpcSubnets: { subnetType: isPublic ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS },
      internetFacing: isPublic,
      securityGroups: [securityGroup],
      crossZoneEnabled: true,
      deletionProtection: true,
    })
    balancer.logAccessLogs(accessLogs, id.toLowerCase())
    return balancer
  }

  #forward(balancer: NetworkLoadBalancer, vpc: IVpc, port: number): NetworkTargetGroup {
    const target = new NetworkTargetGroup(this, `Targets${port}`, {
      vpc,
      port,
      protocol: Protocol.TCP,
      targetType: TargetType.INSTANCE,
      preserveClientIp: true,
      healthCheck: { protocol: Protocol.TCP, port: String(port) },
    })
    balancer.addListener(`Listener${port}`, {
      port,
      protocol: Protocol.TCP,
      defaultTargetGroups: [target],
    })
    return target
  }

  /** Where the API's name stands in the zone of namespaces, its record is made here; elsewhere an operator makes it. */
  #name({ apiName, domain, hostedZoneId }: Installation): void {
    if (apiName.endsWith(`.${domain}`)) {
      new CfnRecordSet(this, 'ApiName', {
        hostedZoneId,
        name: apiName,
        type: 'A',
        aliasTarget: {
          dnsName: this.api.loadBalancerDnsName,
          hostedZoneId: this.api.loadBalancerCanonicalHostedZoneId,
        },
      })
    }
    new CfnOutput(this, 'ApiAddress', { value: this.api.loadBalancerDnsName, description: `${apiName} leads there` })
    new CfnOutput(this, 'CallersAddress', {
      value: this.callers.loadBalancerDnsName,
      description: 'The API with its own certificate',
    })
    new CfnOutput(this, 'OperatorsAddress', {
      value: this.operators.loadBalancerDnsName,
      description: 'The operator API, inside the VPC',
    })
  }
}
