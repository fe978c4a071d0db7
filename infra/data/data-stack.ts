import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import type { Installation } from '../installation.ts'
import type { NetworkStack } from '../network/network-stack.ts'
import type { EncryptionKey } from './encryption-key.ts'
import { Postgres } from './postgres.ts'

export interface DataStackProps extends StackProps {
  readonly installation: Installation
  readonly encryption: EncryptionKey
  readonly network: NetworkStack
}

/** Everything that must survive a stack: databases, secrets, and who called the load balancers. */
export class DataStack extends Stack {
  readonly product: Postgres
  readonly cells: Postgres
  /** 64 hex digits that seal the secrets in the product's database. Lost, they are lost: see `docs/production.md`. */
  readonly masterKey: ISecret
  /** Where the first start puts the first operator's certificate and key. */
  readonly firstOperator: ISecret
  /** The mail server with its password; anything but a URL of one until an operator writes it. */
  readonly smtpUrl: ISecret
  readonly accessLogs: IBucket

  constructor(scope: Construct, id: string, { installation, encryption, network, ...props }: DataStackProps) {
    super(scope, id, props)
    const { key } = encryption
    const { vpc, groups } = network
    const { installation: name, multiAz, controlPlane, cells } = installation
    this.product = new Postgres(this, 'Product', {
      ...{ name: `aqueduct-${name}`, databaseName: 'aqueduct', vpc, key, multiAz },
      securityGroup: groups.productDatabase,
      databaseClass: controlPlane.databaseClass,
      databaseGiB: controlPlane.databaseGiB,
    })
    this.cells = new Postgres(this, 'Cells', {
      ...{ name: `aqueduct-${name}-cells`, databaseName: 'cells', vpc, key, multiAz },
      securityGroup: groups.cellsDatabase,
      databaseClass: cells.databaseClass,
      databaseGiB: cells.databaseGiB,
      // Each node holds up to 55 connections.
      parameters: { max_connections: String(Math.min(5_000, 200 + 60 * cells.nodeLimit)) },
    })
    this.masterKey = new Secret(this, 'MasterKey', {
      secretName: `aqueduct/${name}/master-key`,
      description: 'Seals the secrets in the database. Back it up apart from the database',
      encryptionKey: key,
      generateSecretString: {
        passwordLength: 64,
        excludeCharacters: 'ghijklmnopqrstuvwxyz',
        excludeUppercase: true,
        excludePunctuation: true,
      },
      removalPolicy: RemovalPolicy.RETAIN,
    }) as ISecret
    this.firstOperator = new Secret(this, 'FirstOperator', {
      secretName: `aqueduct/${name}/first-operator`,
      description: 'Certificate and key of the first operator, once the product has started',
      encryptionKey: key,
      generateSecretString: { passwordLength: 32, excludePunctuation: true },
    }) as ISecret
    this.smtpUrl = new Secret(this, 'SmtpUrl', {
      secretName: `aqueduct/${name}/smtp-url`,
      description: 'smtps://user:password@host:465. Until it is one, mails stay in the outbox',
      encryptionKey: key,
      generateSecretString: { passwordLength: 32, excludePunctuation: true },
    }) as ISecret
    this.accessLogs = new Bucket(this, 'AccessLogs', {
      // Load balancers write with S3's own key alone.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      lifecycleRules: [{ expiration: Duration.days(90) }],
      removalPolicy: RemovalPolicy.RETAIN,
    }) as IBucket
    this.#acknowledge()
  }

  #acknowledge(): void {
    acknowledge(this.masterKey, {
      'AwsSolutions-SMG4':
        'Everything that is sealed in the database is sealed with it, and the product cannot reseal it: a rotation would lose all of that.',
    })
    acknowledge(this.firstOperator, {
      'AwsSolutions-SMG4':
        'It is read once by the first operator, who renews the certificate elsewhere and deletes this.',
    })
    acknowledge(this.smtpUrl, {
      'AwsSolutions-SMG4': 'The password is the mail provider’s: an operator changes it there, and then here.',
    })
    acknowledge(this.accessLogs, {
      'AwsSolutions-S1': 'It is the bucket of access logs itself: to log who reads it would fill it with itself.',
    })
  }
}
