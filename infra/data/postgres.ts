import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { InstanceType, type ISecurityGroup, type IVpc, SubnetType } from 'aws-cdk-lib/aws-ec2'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import {
  CaCertificate,
  Credentials,
  DatabaseInstance,
  DatabaseInstanceEngine,
  ParameterGroup,
  PostgresEngineVersion,
  StorageType,
} from 'aws-cdk-lib/aws-rds'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { rdsCaFile } from '../image/paths.ts'

export interface PostgresProps {
  readonly vpc: IVpc
  readonly securityGroup: ISecurityGroup
  readonly key: IKey
  readonly multiAz: boolean
  readonly databaseClass: string
  readonly databaseGiB: number
  /** Names the server: it is found by this in the console and in logs. */
  readonly name: string
  /** Made with the server. */
  readonly databaseName: string
  readonly parameters?: Readonly<Record<string, string>>
}

/**
 * A PostgreSQL server on RDS: encrypted, reached by TLS alone, in subnets that lead nowhere, kept when its stack goes. RDS
 * makes its owner's password and changes it each week; it is in Secrets Manager, and nobody sees it.
 */
export class Postgres extends Construct {
  readonly instance: DatabaseInstance
  /** `{"username", "password"}` of the owner. */
  readonly secret: ISecret
  /** Without who connects; it says that the server has to prove itself. */
  readonly url: string

  constructor(scope: Construct, id: string, props: PostgresProps) {
    super(scope, id)
    const { name, vpc, securityGroup, key, multiAz, databaseClass, databaseGiB, databaseName, parameters } = props
    const engine = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_17_6 })
    // RDS would make it without a key, and keep everything for ever.
    const log = new LogGroup(this, 'Log', {
      logGroupName: `/aws/rds/instance/${name}/postgresql`,
      retention: RetentionDays.THREE_MONTHS,
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.instance = new DatabaseInstance(this, 'Instance', {
      engine,
      instanceIdentifier: name,
      vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      securityGroups: [securityGroup],
      publiclyAccessible: false,
      instanceType: new InstanceType(databaseClass),
      multiAz,
      databaseName,
      credentials: Credentials.fromUsername('aqueduct_owner', { encryptionKey: key }),
      manageMasterUserPassword: true,
      storageEncrypted: true,
      storageEncryptionKey: key,
      storageType: StorageType.GP3,
      allocatedStorage: databaseGiB,
      maxAllocatedStorage: databaseGiB * 4,
      backupRetention: Duration.days(14),
      copyTagsToSnapshot: true,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      deleteAutomatedBackups: false,
      autoMinorVersionUpgrade: true,
      caCertificate: CaCertificate.RDS_CA_RSA2048_G1,
      iamAuthentication: false,
      cloudwatchLogsExports: ['postgresql'],
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: key,
      parameterGroup: new ParameterGroup(this, 'Parameters', {
        engine,
        parameters: { 'rds.force_ssl': '1', ...parameters },
      }),
    })
    this.instance.node.addDependency(log)
    const { secret } = this.instance
    if (secret === undefined) throw new Error('RDS manages the password of the owner, and names its secret')
    this.secret = secret
    this.url = `postgres://${this.instance.dbInstanceEndpointAddress}:${this.instance.dbInstanceEndpointPort}/${databaseName}?sslmode=verify-full&sslrootcert=${rdsCaFile}`
    acknowledge(this.instance, {
      'AwsSolutions-RDS11':
        'The port is no secret, and nobody but the parts’ own groups reaches it: another one would hide nothing.',
    })
  }
}
