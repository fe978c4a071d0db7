import { Stack } from 'aws-cdk-lib'
import { type IRole, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Installation } from '../installation.ts'
import { names } from '../names.ts'
import type { NetworkStack } from '../network/network-stack.ts'

export interface ProvisionerPolicyProps {
  readonly installation: Installation
  readonly network: NetworkStack
  readonly key: IKey
  readonly nodeRole: IRole
  readonly role: IRole
}

/**
 * What the provisioner may do in AWS as it makes and ends nodes: exactly the calls of its EC2 driver and of its DNS, each
 * bound to this installation's own things. `test/policy/iam.test.ts` compares the calls with those that the product makes.
 */
export class ProvisionerPolicy extends Construct {
  constructor(scope: Construct, id: string, props: ProvisionerPolicyProps) {
    super(scope, id)
    const policy = new ManagedPolicy(this, 'Calls', {
      description: 'Calls of the EC2 driver and of DNS',
      roles: [props.role],
      statements: [
        ...this.#launch(props),
        ...this.#keep(props),
        ...this.#addresses(props),
        ...this.#volumes(props),
        ...this.#dns(props.installation),
      ],
    })
    const { region, account } = Stack.of(this)
    const own = 'Only such as carry the tag of this installation: the condition beside it.'
    const withinVpc = 'Only those of this VPC: interfaces are made with the machine, and carry no tag of their own.'
    const ec2 = (resource: string) => `AwsSolutions-IAM5[Resource::arn:aws:ec2:${resource}]`
    acknowledge(policy, {
      'AwsSolutions-IAM5[Resource::*]': 'These calls describe, and know no resources; the region is a condition.',
      ...Object.fromEntries(
        ['instance', 'volume', 'elastic-ip'].map((kind) => [ec2(`${region}:${account}:${kind}/*`), own]),
      ),
      [ec2(`${region}:${account}:network-interface/*`)]: withinVpc,
      [ec2(`${region}::image/*`)]: 'Only such as this account owns and its pipeline has tagged.',
      [ec2(`${region}::snapshot/*`)]: 'Only such as this account owns: the images’ own.',
    })
  }

  #arn(resource: string): string {
    const { region, account } = Stack.of(this)
    return `arn:aws:ec2:${region}:${account}:${resource}`
  }

  /** On the thing that is made: the tag is in the request. */
  #made(name: string) {
    return { [`aws:RequestTag/${names(name).madeTag}`]: name }
  }

  /** On a thing that is there: it has the tag. */
  #own(name: string) {
    return { [`aws:ResourceTag/${names(name).madeTag}`]: name }
  }

  #launch({ installation: { installation, awsRegion, account }, network, nodeRole }: ProvisionerPolicyProps) {
    const { vpc, groups, publicSubnets, privateSubnets } = network
    const subnets = [...publicSubnets, ...privateSubnets].map(({ subnetId }) => this.#arn(`subnet/${subnetId}`))
    const groupArns = [groups.nodes, groups.edges].map(({ securityGroupId }) =>
      this.#arn(`security-group/${securityGroupId}`),
    )
    return [
      new PolicyStatement({
        sid: 'LaunchTagged',
        actions: ['ec2:RunInstances'],
        resources: [this.#arn('instance/*')],
        conditions: {
          StringEquals: { ...this.#made(installation), 'ec2:MetadataHttpTokens': 'required' },
          NumericEquals: { 'ec2:MetadataHttpPutResponseHopLimit': '1' },
        },
      }),
      new PolicyStatement({
        sid: 'LaunchWithEncryptedVolumes',
        actions: ['ec2:RunInstances'],
        resources: [this.#arn('volume/*')],
        conditions: { StringEquals: this.#made(installation), Bool: { 'ec2:Encrypted': 'true' } },
      }),
      new PolicyStatement({
        sid: 'LaunchInOwnNetwork',
        actions: ['ec2:RunInstances'],
        resources: [...subnets, ...groupArns],
      }),
      new PolicyStatement({
        sid: 'LaunchWithInterfaces',
        actions: ['ec2:RunInstances'],
        resources: [this.#arn('network-interface/*')],
        conditions: { ArnEquals: { 'ec2:Vpc': vpc.vpcArn } },
      }),
      new PolicyStatement({
        sid: 'LaunchFromOwnImages',
        actions: ['ec2:RunInstances'],
        resources: [`arn:aws:ec2:${awsRegion}::image/*`],
        conditions: { StringEquals: { 'ec2:Owner': account, 'aws:ResourceTag/aqueduct:image': installation } },
      }),
      new PolicyStatement({
        sid: 'LaunchFromOwnSnapshots',
        actions: ['ec2:RunInstances'],
        resources: [`arn:aws:ec2:${awsRegion}::snapshot/*`],
        conditions: { StringEquals: { 'ec2:Owner': account } },
      }),
      new PolicyStatement({
        sid: 'TagWhatIsMade',
        actions: ['ec2:CreateTags'],
        resources: [this.#arn('instance/*'), this.#arn('volume/*'), this.#arn('elastic-ip/*')],
        conditions: {
          StringEquals: { ...this.#made(installation), 'ec2:CreateAction': ['RunInstances', 'AllocateAddress'] },
        },
      }),
      new PolicyStatement({
        sid: 'GiveNodesTheirRole',
        actions: ['iam:PassRole'],
        resources: [nodeRole.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
      }),
      new PolicyStatement({
        sid: 'NewestImage',
        actions: ['ssm:GetParameter'],
        resources: [
          `arn:aws:ssm:${awsRegion}:${Stack.of(this).account}:parameter${names(installation).imageParameters.node}`,
        ],
      }),
    ]
  }

  #keep({ installation: { installation, awsRegion } }: ProvisionerPolicyProps) {
    return [
      new PolicyStatement({
        sid: 'Look',
        actions: [
          'ec2:DescribeInstances',
          'ec2:DescribeInstanceStatus',
          'ec2:DescribeAddresses',
          'ec2:DescribeVolumes',
        ],
        resources: ['*'],
        conditions: { StringEquals: { 'aws:RequestedRegion': awsRegion } },
      }),
      new PolicyStatement({
        sid: 'EndOwn',
        actions: ['ec2:TerminateInstances'],
        resources: [this.#arn('instance/*')],
        conditions: { StringEquals: this.#own(installation) },
      }),
    ]
  }

  #addresses({ installation: { installation }, network }: ProvisionerPolicyProps) {
    const move = ['ec2:AssociateAddress', 'ec2:DisassociateAddress']
    return [
      new PolicyStatement({
        sid: 'AllocateTagged',
        actions: ['ec2:AllocateAddress'],
        resources: [this.#arn('elastic-ip/*')],
        conditions: { StringEquals: this.#made(installation) },
      }),
      new PolicyStatement({
        sid: 'MoveAndReleaseOwn',
        actions: [...move, 'ec2:ReleaseAddress'],
        resources: [this.#arn('elastic-ip/*')],
        conditions: { StringEquals: this.#own(installation) },
      }),
      new PolicyStatement({
        sid: 'MoveToOwnMachines',
        actions: ['ec2:AssociateAddress'],
        resources: [this.#arn('instance/*')],
        conditions: { StringEquals: this.#own(installation) },
      }),
      new PolicyStatement({
        sid: 'MoveBetweenInterfaces',
        actions: move,
        resources: [this.#arn('network-interface/*')],
        conditions: { ArnEquals: { 'ec2:Vpc': network.vpc.vpcArn } },
      }),
    ]
  }

  #volumes({ installation: { installation, awsRegion }, key }: ProvisionerPolicyProps) {
    const throughEc2 = { 'kms:ViaService': `ec2.${awsRegion}.amazonaws.com` }
    return [
      new PolicyStatement({
        sid: 'DeleteOwnVolumes',
        actions: ['ec2:DeleteVolume'],
        resources: [this.#arn('volume/*')],
        conditions: { StringEquals: this.#own(installation) },
      }),
      new PolicyStatement({
        sid: 'EncryptVolumes',
        actions: [
          'kms:Decrypt',
          'kms:DescribeKey',
          'kms:GenerateDataKeyWithoutPlaintext',
          'kms:ReEncryptFrom',
          'kms:ReEncryptTo',
        ],
        resources: [key.keyArn],
        conditions: { StringEquals: throughEc2 },
      }),
      new PolicyStatement({
        sid: 'LendKeyToVolumes',
        actions: ['kms:CreateGrant'],
        resources: [key.keyArn],
        conditions: { StringEquals: throughEc2, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
      }),
    ]
  }

  #dns({ hostedZoneId, domain }: Installation) {
    const zone = `arn:aws:route53:::hostedzone/${hostedZoneId}`
    return [
      new PolicyStatement({
        sid: 'LookAtNames',
        actions: ['route53:ListResourceRecordSets'],
        resources: [zone],
      }),
      new PolicyStatement({
        sid: 'NamesOfNamespaces',
        actions: ['route53:ChangeResourceRecordSets'],
        resources: [zone],
        conditions: {
          // Of the zone's names, those of namespaces alone: the API's and the zone's own are not among them.
          'ForAllValues:StringLike': { 'route53:ChangeResourceRecordSetsNormalizedRecordNames': [`*.*.${domain}`] },
          // Never UPSERT, which overwrites what somebody else made.
          'ForAllValues:StringEquals': {
            'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE'],
            'route53:ChangeResourceRecordSetsRecordTypes': ['A', 'CNAME', 'TXT'],
          },
        },
      }),
    ]
  }
}
