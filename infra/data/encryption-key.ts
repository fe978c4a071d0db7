import { Stack, type StackProps } from 'aws-cdk-lib'
import { AnyPrincipal, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'

export interface EncryptionKeyProps extends StackProps {
  readonly installation: { readonly installation: string }
}

/**
 * The key of everything that an installation keeps: volumes, databases, secrets, logs. It is never deleted with the
 * stack: without it a backup is noise.
 */
export class EncryptionKey extends Stack {
  readonly key: Key

  constructor(scope: Construct, id: string, { installation, ...props }: EncryptionKeyProps) {
    super(scope, id, props)
    this.key = new Key(this, 'Key', {
      alias: `aqueduct-${installation.installation}`,
      description: `Aqueduct ${installation.installation}: volumes, databases, secrets and logs`,
      enableKeyRotation: true,
    })
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'LogGroups',
        principals: [new ServicePrincipal(`logs.${this.region}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        resources: ['*'],
        conditions: {
          ArnLike: { 'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${this.region}:${this.account}:log-group:*` },
        },
      }),
    )
    // Auto Scaling's own role starts the control plane's instances, whose volumes have this key. The role need not be
    // there yet, so it is named in a condition: a principal that does not exist would fail the deployment.
    const autoScaling = {
      StringEquals: { 'kms:CallerAccount': this.account },
      ArnLike: {
        'aws:PrincipalArn': `arn:aws:iam::${this.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling*`,
      },
    }
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'VolumesOfAutoScaling',
        principals: [new AnyPrincipal()],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        resources: ['*'],
        conditions: autoScaling,
      }),
    )
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'GrantsOfAutoScaling',
        principals: [new AnyPrincipal()],
        actions: ['kms:CreateGrant'],
        resources: ['*'],
        conditions: { ...autoScaling, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
      }),
    )
    // Alarms are published by CloudWatch into a topic that is encrypted, too.
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Alarms',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    )
  }
}
