import { join } from 'node:path'
import { Stack, type StackProps } from 'aws-cdk-lib'
import {
  InstanceProfile,
  ManagedPolicy,
  Policy,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import type { Construct } from 'constructs'
import { nodePorts } from '#libs/domain/nodes'
import { acknowledge } from '../acknowledge.ts'
import type { EncryptionKey } from '../data/encryption-key.ts'
import type { Installation } from '../installation.ts'
import { names } from '../names.ts'
import { controlPlanePorts } from '../network/control-plane-ports.ts'
import type { NetworkStack } from '../network/network-stack.ts'
import {
  envoyComponent,
  productComponent,
  servicesComponent,
  systemComponent,
  temporalComponent,
} from './components.ts'
import { ImagePipeline } from './image-pipeline.ts'
import { logAgent } from './log-agent.ts'

export interface ImageStackProps extends StackProps {
  readonly installation: Installation
  readonly encryption: EncryptionKey
  readonly network: NetworkStack
}

const repository = join(import.meta.dirname, '../..')
/** Of the product, what machines run: neither its tests nor what deploys it. */
const shipped = [
  'apps',
  'libs',
  'infra',
  'infra/instance',
  'infra/systemd',
  'package.json',
  'package-lock.json',
  'LICENSE',
]

/** Two images from one pattern: nodes of cells, and the control plane, whose parts all start from one. */
export class ImageStack extends Stack {
  constructor(scope: Construct, id: string, { installation, encryption, network, ...props }: ImageStackProps) {
    super(scope, id, props)
    const { installation: name } = installation
    const { imageParameters, logGroups } = names(name)
    const product = new Asset(this, 'Product', {
      path: repository,
      exclude: [
        '**',
        ...shipped.flatMap((path) => [`!${path}`, ...(path === 'infra' ? [] : [`!${path}/**`])]),
        '*.test.ts',
      ],
    })
    const source = product.s3ObjectUrl
    const builder = this.#builder(product, Object.values(imageParameters), encryption)
    const [subnet] = network.privateSubnets
    const common = {
      installation: name,
      productHash: product.assetHash,
      key: encryption.key,
      subnetId: subnet?.subnetId ?? '',
      securityGroupId: network.groups.builder.securityGroupId,
      ...builder,
    }
    const parts = ['api', 'provisioner', 'edge'] as const
    const { https, grpcTls, operator, discovery, join: joinPort } = controlPlanePorts
    new ImagePipeline(this, 'ControlPlane', {
      ...common,
      name: `aqueduct-${name}-control-plane`,
      parameterName: imageParameters.controlPlane,
      components: [
        systemComponent(),
        productComponent(source),
        temporalComponent(['temporal-sql-tool']),
        servicesComponent({
          installed: [
            ...parts.map((part) => `aqueduct-${part}.service`),
            ...['aqueduct-prepare.service', 'aqueduct-settings.service', 'aqueduct-settings.timer'],
          ],
          enabled: [
            ...parts.map((part) => `aqueduct-${part}.service`),
            ...['aqueduct-prepare.service', 'aqueduct-settings.timer'],
          ],
          ports: [https, grpcTls, operator, discovery, joinPort],
          logs: logAgent([
            ...parts.map((part) => ({ path: `/var/log/aqueduct/${part}.log`, group: logGroups[part] })),
            { path: '/var/log/aqueduct/prepare.log', group: logGroups.provisioner },
          ]),
        }),
      ],
    })
    const { edge, nexus, frontend, worker, membershipOffset } = nodePorts
    new ImagePipeline(this, 'Node', {
      ...common,
      name: `aqueduct-${name}-node`,
      parameterName: imageParameters.node,
      components: [
        systemComponent(),
        productComponent(source),
        temporalComponent(['temporal-server']),
        envoyComponent(),
        servicesComponent({
          installed: ['aqueduct-node.service'],
          enabled: ['aqueduct-node.service'],
          ports: [`${edge}-${nexus}`, `${frontend + membershipOffset}-${worker + membershipOffset}`],
          logs: logAgent([
            { path: '/var/log/aqueduct/node.log', group: logGroups.node },
            { path: '/var/lib/aqueduct/node/log/*.log', group: logGroups.node },
          ]),
        }),
      ],
    })
  }

  #builder(product: Asset, parameters: readonly string[], encryption: EncryptionKey) {
    const instanceRole = new Role(this, 'BuildInstance', {
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      description: 'Instances that build and test images',
      managedPolicies: ['EC2InstanceProfileForImageBuilder', 'AmazonSSMManagedInstanceCore'].map((policy) =>
        ManagedPolicy.fromAwsManagedPolicyName(policy),
      ),
    })
    instanceRole.addToPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [product.bucket.arnForObjects(product.s3ObjectKey)],
      }),
    )
    encryption.key.grantDecrypt(instanceRole)
    acknowledge(instanceRole, {
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/EC2InstanceProfileForImageBuilder]':
        'What AWS asks for on instances of Image Builder; they live for the minutes of a build.',
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonSSMManagedInstanceCore]':
        'Image Builder drives its instances by Systems Manager; they live for the minutes of a build.',
    })
    const profile = new InstanceProfile(this, 'BuildProfile', { role: instanceRole })
    const executionRole = new Role(this, 'Execution', {
      assumedBy: new ServicePrincipal('imagebuilder.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
      description: 'Image Builder itself: builds images and says which is the newest',
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('EC2ImageBuilderExecutionPolicy')],
    })
    new Policy(this, 'SayWhichIsNewest', {
      roles: [executionRole],
      document: new PolicyDocument({
        statements: [
          new PolicyStatement({
            actions: ['ssm:PutParameter'],
            resources: parameters.map((parameter) =>
              this.formatArn({ service: 'ssm', resource: 'parameter', resourceName: parameter.slice(1) }),
            ),
          }),
          new PolicyStatement({ actions: ['ec2:DescribeImages'], resources: ['*'] }),
          new PolicyStatement({
            actions: ['iam:PassRole'],
            resources: [instanceRole.roleArn],
            conditions: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
          }),
        ],
      }),
    })
    encryption.key.grant(executionRole, 'kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey', 'kms:CreateGrant')
    acknowledge(this, {
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/EC2ImageBuilderExecutionPolicy]':
        'What AWS asks for of whoever runs a build; only Image Builder in this account can be it.',
      'AwsSolutions-IAM5[Resource::*]': 'ec2:DescribeImages knows no resources.',
    })
    return { instanceProfileName: profile.instanceProfileName, executionRoleArn: executionRole.roleArn }
  }
}
