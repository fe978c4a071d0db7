import { Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import type { DataStack } from '../data/data-stack.ts'
import type { EncryptionKey } from '../data/encryption-key.ts'
import type { Installation } from '../installation.ts'
import type { NetworkStack } from '../network/network-stack.ts'
import type { RegionStack } from '../region/region-stack.ts'
import { Alarms } from './alarms.ts'
import { PartService } from './part-service.ts'
import { partSettings } from './part-settings.ts'
import { ProvisionerPolicy } from './provisioner-policy.ts'
import { PublicBalancers } from './public-balancers.ts'

export interface ControlPlaneStackProps extends StackProps {
  readonly installation: Installation
  readonly encryption: EncryptionKey
  readonly network: NetworkStack
  readonly data: DataStack
  readonly region: RegionStack
}

/** API, provisioner and discovery server, the doors before them, and what tells people that something is wrong. */
export class ControlPlaneStack extends Stack {
  constructor(scope: Construct, id: string, props: ControlPlaneStackProps) {
    const { installation, encryption, network, data, region, ...rest } = props
    super(scope, id, rest)
    const { vpc, groups } = network
    const { key } = encryption
    const topic = new Topic(this, 'Alarmed', { masterKey: key, enforceSSL: true })
    topic.addSubscription(new EmailSubscription(installation.alarmEmail))
    const balancers = new PublicBalancers(this, 'Balancers', {
      ...{ installation, vpc, groups },
      accessLogs: data.accessLogs,
    })
    const settings = partSettings({
      installation,
      data,
      regionSettings: region.regionSettings,
      discoveryHost: region.balancer.nodes.loadBalancerDnsName,
      callersHost: balancers.callers.loadBalancerDnsName,
      operatorsHost: balancers.operators.loadBalancerDnsName,
    })
    const common = { installation, vpc, key, topic, logs: region.logs }
    const api = new PartService(this, 'Api', {
      ...common,
      part: 'api',
      securityGroup: groups.api,
      settings: settings.api,
      secrets: [data.masterKey, data.smtpUrl],
      balanced: true,
    })
    balancers.attach(api.group)
    const provisioner = new PartService(this, 'Provisioner', {
      ...common,
      part: 'provisioner',
      securityGroup: groups.provisioner,
      settings: settings.provisioner,
      secrets: [data.masterKey, data.product.secret, data.cells.secret],
      balanced: false,
      alsoStart: ['aqueduct-prepare.service'],
    })
    provisioner.role.addToPolicy(
      new PolicyStatement({
        sid: 'HandOverFirstOperator',
        actions: ['secretsmanager:PutSecretValue'],
        resources: [data.firstOperator.secretArn],
      }),
    )
    provisioner.role.addToPolicy(
      new PolicyStatement({
        sid: 'EncryptWhatIsHandedOver',
        actions: ['kms:GenerateDataKey'],
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${installation.awsRegion}.amazonaws.com` } },
      }),
    )
    new ProvisionerPolicy(this, 'ProvisionerPolicy', {
      ...{ installation, network, key },
      nodeRole: region.nodeRole,
      role: provisioner.role,
    })
    const edge = new PartService(this, 'Discovery', {
      ...common,
      part: 'edge',
      securityGroup: groups.discovery,
      settings: settings.edge,
      secrets: [data.masterKey],
      balanced: true,
    })
    for (const target of region.balancer.targets) edge.group.attachToNetworkTargetGroup(target)
    new Alarms(this, 'Alarms', {
      ...{ topic, data, balancers },
      logs: region.logs,
      services: [api, provisioner, edge],
      nodesTargets: region.balancer.targets,
    })
  }
}
