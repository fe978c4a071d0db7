import { RemovalPolicy } from 'aws-cdk-lib'
import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { names } from '../names.ts'

export type LoggingPart = 'api' | 'provisioner' | 'edge' | 'node'

/** One group a part; machines make a stream each. */
export class LogGroups extends Construct {
  readonly groups: Readonly<Record<LoggingPart, LogGroup>>

  constructor(scope: Construct, id: string, { installation, key }: { installation: string; key: IKey }) {
    super(scope, id)
    const { logGroups } = names(installation)
    const group = (part: LoggingPart) =>
      new LogGroup(this, part, {
        logGroupName: logGroups[part],
        retention: RetentionDays.ONE_YEAR,
        encryptionKey: key,
        removalPolicy: RemovalPolicy.RETAIN,
      })
    this.groups = { api: group('api'), provisioner: group('provisioner'), edge: group('edge'), node: group('node') }
  }

  /** Lets a role append to one part's group, and nothing more. */
  allowWriting(role: IRole, part: LoggingPart): void {
    const { logGroupArn } = this.groups[part]
    new Policy(role, 'WriteLogs', {
      roles: [role],
      statements: [
        new PolicyStatement({
          sid: 'WriteLogs',
          actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
          resources: [logGroupArn],
        }),
      ],
    })
  }
}
