import { Duration, Stack } from 'aws-cdk-lib'
import {
  AdditionalHealthCheckType,
  AutoScalingGroup,
  GroupMetrics,
  HealthChecks,
  ScalingEvents,
  UpdatePolicy,
} from 'aws-cdk-lib/aws-autoscaling'
import {
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  InstanceType,
  type ISecurityGroup,
  type IVpc,
  LaunchTemplate,
  LaunchTemplateHttpTokens,
  MachineImage,
  SubnetType,
  UserData,
} from 'aws-cdk-lib/aws-ec2'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { ParameterTier, StringParameter } from 'aws-cdk-lib/aws-ssm'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Installation } from '../installation.ts'
import type { PartSettings } from '../instance/part-environment.ts'
import type { LogGroups } from '../logs/log-groups.ts'
import { names } from '../names.ts'

export interface PartServiceProps {
  /** As its folder in `apps/` and its unit are called. */
  readonly part: 'api' | 'provisioner' | 'edge'
  readonly installation: Installation
  readonly vpc: IVpc
  readonly securityGroup: ISecurityGroup
  readonly key: IKey
  readonly topic: ITopic
  readonly logs: LogGroups
  readonly settings: PartSettings
  /** What it reads; every part reads the master key. */
  readonly secrets: readonly Pick<ISecret, 'secretArn'>[]
  /** Whether load balancers say that a machine is healthy; else EC2 says it alone, and systemd starts again what ends. */
  readonly balanced: boolean
  /** Units to start besides the part's own. */
  readonly alsoStart?: readonly string[]
}

/** One part of the control plane: two machines or more over the zones, from the image, with settings of their own. */
export class PartService extends Construct {
  readonly role: Role
  readonly group: AutoScalingGroup

  constructor(scope: Construct, id: string, props: PartServiceProps) {
    super(scope, id)
    const { part, installation, vpc, securityGroup, key, topic, logs, settings, secrets, balanced } = props
    const { installation: name, awsRegion } = installation
    const { imageParameters, settingsParameter } = names(name)
    const stack = Stack.of(this)
    const parameter = new StringParameter(this, 'Settings', {
      parameterName: settingsParameter(part),
      description: `Settings of the ${part}: its machines read them every three minutes`,
      stringValue: stack.toJsonString(settings),
      tier: ParameterTier.INTELLIGENT_TIERING,
    })
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      description: `Machines of the ${part}`,
    })
    parameter.grantRead(this.role)
    this.#readSecrets(secrets, key, awsRegion)
    logs.allowWriting(this.role, part)
    this.#allowSessions()
    const template = new LaunchTemplate(this, 'Template', {
      machineImage: MachineImage.resolveSsmParameterAtLaunch(imageParameters.controlPlane),
      instanceType: new InstanceType(installation.controlPlane.instanceType),
      role: this.role,
      securityGroup,
      associatePublicIpAddress: false,
      requireImdsv2: true,
      httpTokens: LaunchTemplateHttpTokens.REQUIRED,
      httpPutResponseHopLimit: 1,
      detailedMonitoring: true,
      userData: UserData.custom(firstBoot({ part, name, awsRegion, alsoStart: props.alsoStart ?? [] })),
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(16, {
            encrypted: true,
            kmsKey: key,
            volumeType: EbsDeviceVolumeType.GP3,
            deleteOnTermination: true,
          }),
        },
      ],
    })
    const grace = Duration.minutes(5)
    this.group = new AutoScalingGroup(this, 'Group', {
      vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      launchTemplate: template,
      minCapacity: 2,
      maxCapacity: 4,
      cooldown: grace,
      // Nothing is updated in place: a month is the longest that a machine goes without the newest image.
      maxInstanceLifetime: Duration.days(30),
      healthChecks: balanced
        ? HealthChecks.withAdditionalChecks({ additionalTypes: [AdditionalHealthCheckType.ELB], gracePeriod: grace })
        : HealthChecks.ec2({ gracePeriod: grace }),
      groupMetrics: [GroupMetrics.all()],
      notifications: [{ topic, scalingEvents: ScalingEvents.ALL }],
      updatePolicy: UpdatePolicy.rollingUpdate({ minInstancesInService: 1, maxBatchSize: 1, pauseTime: grace }),
    })
    this.group.node.addDependency(parameter)
  }

  /** In the role's policy alone: the key's own knows nobody by name. */
  #readSecrets(secrets: PartServiceProps['secrets'], key: IKey, awsRegion: string): void {
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'Secrets',
        actions: ['secretsmanager:GetSecretValue'],
        resources: secrets.map(({ secretArn }) => secretArn),
      }),
    )
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'SecretsAreEncrypted',
        actions: ['kms:Decrypt'],
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `secretsmanager.${awsRegion}.amazonaws.com` } },
      }),
    )
  }

  /** The way in for a person, since there is no other: by AWS' own permissions, and written down by CloudTrail. */
  #allowSessions(): void {
    this.role.addToPolicy(
      new PolicyStatement({
        sid: 'Sessions',
        actions: [
          'ssm:UpdateInstanceInformation',
          'ssmmessages:CreateControlChannel',
          'ssmmessages:CreateDataChannel',
          'ssmmessages:OpenControlChannel',
          'ssmmessages:OpenDataChannel',
        ],
        resources: ['*'],
      }),
    )
    acknowledge(this.role, {
      'AwsSolutions-IAM5[Resource::*]':
        'What Session Manager’s agent calls; none of it knows resources. There is no sshd on these machines.',
    })
  }
}

interface FirstBoot {
  readonly part: string
  readonly name: string
  readonly awsRegion: string
  readonly alsoStart: readonly string[]
}

/** No secret is in it: it says what the machine is, and starts that. Later boots find the files there. */
function firstBoot({ part, name, awsRegion, alsoStart }: FirstBoot): string {
  const machine = JSON.stringify({ installation: name, awsRegion })
  const units = [...alsoStart, `aqueduct-${part}.service`].join(' ')
  return `#!/bin/bash
set -euo pipefail
echo '${machine}' >/etc/aqueduct/machine.json
touch /etc/aqueduct/parts/${part}
systemctl start --no-block aqueduct-settings.timer ${units}
`
}
