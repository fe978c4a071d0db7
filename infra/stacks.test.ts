import { Match, Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { nodePorts } from '#libs/domain/nodes'
import { exampleInfra, exampleInstallation, resolved, type TemplateJson, templateOf } from '../test/harness/infra.ts'
import { controlPlanePorts } from './network/control-plane-ports.ts'

const { encryption, network, data, image, region, controlPlane } = exampleInfra()
const templates = { encryption, network, data, image, region, controlPlane }
const all = Object.values(templates).map((stack) => templateOf(stack))

interface Found {
  readonly id: string
  readonly properties: Readonly<Record<string, unknown>>
}

function ofType(type: string, among: readonly TemplateJson[] = all): readonly Found[] {
  return among.flatMap(({ Resources }) =>
    Object.entries(Resources)
      .filter(([, { Type }]) => Type === type)
      .map(([id, { Properties = {} }]) => ({ id, properties: Properties })),
  )
}

describe('security groups', () => {
  const networkTemplate = templateOf(network)
  /** A group's short name by its logical id: `GroupsNodeC8BF0D67` is `Node`. */
  const nameOf = (id: string): string => /^Groups(.+)[0-9A-F]{8}$/.exec(id)?.[1] ?? id
  const named = (value: unknown): string =>
    nameOf(String(resolved(value, (reference) => reference)).split('.')[0] ?? '')

  /** Everything that may come in: `<from> -> <to>:<port>`. */
  const ingress = [
    ...ofType('AWS::EC2::SecurityGroup', [networkTemplate]).flatMap(({ id, properties }) =>
      ((properties.SecurityGroupIngress ?? []) as readonly Record<string, unknown>[]).map(
        ({ CidrIp, FromPort, ToPort }) => `${String(CidrIp)} -> ${nameOf(id)}:${range(FromPort, ToPort)}`,
      ),
    ),
    ...ofType('AWS::EC2::SecurityGroupIngress', [networkTemplate]).map(
      ({ properties: { SourceSecurityGroupId, GroupId, FromPort, ToPort } }) =>
        `${named(SourceSecurityGroupId)} -> ${named(GroupId)}:${range(FromPort, ToPort)}`,
    ),
  ].toSorted()

  function range(from: unknown, to: unknown): string {
    return from === to ? String(from) : `${String(from)}-${String(to)}`
  }
  const into = (group: string, port: number): readonly string[] =>
    ingress.filter((rule) => rule.endsWith(` -> ${group}:${port}`)).map((rule) => rule.split(' -> ')[0] ?? '')

  it('let the world in at three doors, and nowhere else', () => {
    expect(ingress.filter((rule) => rule.startsWith('0.0.0.0/0'))).toEqual([
      '0.0.0.0/0 -> ApiBalancer:443',
      '0.0.0.0/0 -> CallersBalancer:7073',
      '0.0.0.0/0 -> CallersBalancer:7443',
      `0.0.0.0/0 -> Edge:${nodePorts.edge}`,
    ])
  })

  it('let nobody but load balancers of private connections, and the probe, reach the private listener', () => {
    expect(into('Edge', nodePorts.edgePrivate)).toEqual(['PrivateBalancer', 'Provisioner'])
    expect(into('Node', nodePorts.edgePrivate)).toEqual([])
  })

  it('let nodes ask each other, the provisioner the frontend, and nobody what is a node’s own', () => {
    const { frontend, internalFrontend, history, matching, worker, frontendHttp, membershipOffset } = nodePorts
    for (const port of [internalFrontend, history, matching, worker, frontendHttp]) {
      expect(into('Node', port), String(port)).toEqual(['Node'])
    }
    for (const port of [frontend, history, matching, worker, internalFrontend]) {
      expect(into('Node', port + membershipOffset), `${port} gossip`).toEqual(['Node'])
    }
    expect(into('Node', frontend)).toEqual(['Node', 'Provisioner'])
    expect(into('Node', nodePorts.nexus)).toEqual([])
    expect(into('Node', nodePorts.metrics)).toEqual([])
  })

  it('let nodes alone come to discovery and join, by their load balancer', () => {
    for (const port of [controlPlanePorts.discovery, controlPlanePorts.join]) {
      expect(into('NodesBalancer', port)).toEqual(['Node'])
      expect(into('Discovery', port)).toEqual(['NodesBalancer'])
    }
  })

  it('let operators in from the networks that were named, of which there are none by default', {
    timeout: 60_000,
  }, () => {
    expect(into('OperatorsBalancer', controlPlanePorts.operator)).toEqual([])
    expect(into('Api', controlPlanePorts.operator)).toEqual(['OperatorsBalancer'])
    const opened = exampleInfra({ operatorCidrs: ['10.9.0.0/16'] })
    Template.fromStack(opened.network).hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: [Match.objectLike({ CidrIp: '10.9.0.0/16', FromPort: 7444, ToPort: 7444 })],
    })
  })

  it('let databases be reached by who needs them', () => {
    expect(into('ProductDatabase', 5432)).toEqual(['Api', 'Discovery', 'Provisioner'])
    expect(into('CellsDatabase', 5432)).toEqual(['Node', 'Provisioner'])
  })

  it('open single ports, never a range', () => {
    expect(ingress.filter((rule) => rule.includes('-1') || /:\d+-/.test(rule))).toEqual([])
  })

  it('let nothing out that was not named', () => {
    const anywhere = ofType('AWS::EC2::SecurityGroup', [networkTemplate]).flatMap(({ id, properties }) =>
      ((properties.SecurityGroupEgress ?? []) as readonly Record<string, unknown>[])
        .filter(({ CidrIp }) => CidrIp === '0.0.0.0/0')
        .map(({ FromPort, IpProtocol }) => `${nameOf(id)} ${String(IpProtocol)} ${String(FromPort)}`),
    )
    expect(anywhere.toSorted()).toEqual([
      'Api tcp 443',
      'Api tcp 465',
      'Api tcp 587',
      'Builder tcp 443',
      'Discovery tcp 443',
      'Node tcp 443',
      'Provisioner tcp 443',
    ])
  })
})

describe('the network', () => {
  it('has three kinds of subnets in three zones, and gives nobody a public address by itself', () => {
    const subnets = ofType('AWS::EC2::Subnet')
    expect(subnets).toHaveLength(9)
    expect(new Set(subnets.map(({ properties }) => properties.AvailabilityZone))).toEqual(
      new Set(exampleInstallation().zones),
    )
    for (const { id, properties } of subnets) expect(properties.MapPublicIpOnLaunch ?? false, id).toBe(false)
  })

  it('leads nowhere from where the databases are', () => {
    const isolated = ofType('AWS::EC2::SubnetRouteTableAssociation')
      .filter(({ id }) => id.startsWith('Vpcisolated'))
      .map(({ properties }) => JSON.stringify(properties.RouteTableId))
    expect(isolated).toHaveLength(3)
    const routed = ofType('AWS::EC2::Route').map(({ properties }) => JSON.stringify(properties.RouteTableId))
    expect(routed.filter((table) => isolated.includes(table))).toEqual([])
  })
})

describe('machines', () => {
  const launch = ofType('AWS::EC2::LaunchTemplate').map(
    ({ properties }) => properties.LaunchTemplateData as Record<string, unknown>,
  )

  it('answer IMDSv2 alone, have encrypted volumes, and no public address and no key', () => {
    expect(launch).toHaveLength(3)
    for (const template of launch) {
      expect(template).toMatchObject({
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
        BlockDeviceMappings: [{ Ebs: { Encrypted: true, KmsKeyId: expect.anything() } }],
        NetworkInterfaces: [{ AssociatePublicIpAddress: false }],
      })
      expect(template).not.toHaveProperty('KeyName')
    }
  })

  it('of the control plane start from the newest image, two of each part, replaced within a month', () => {
    for (const template of launch) expect(template.ImageId).toBe('resolve:ssm:/aqueduct/prod/control-plane-image')
    for (const { id, properties } of ofType('AWS::AutoScaling::AutoScalingGroup')) {
      expect(properties, id).toMatchObject({ MinSize: '2', MaxInstanceLifetime: 2_592_000 })
      expect(properties.VPCZoneIdentifier, id).toHaveLength(3)
    }
  })

  it('have no secret in their user data', () => {
    for (const { UserData } of launch) {
      const script = String((UserData as Record<string, unknown>)['Fn::Base64'])
      expect(script.split('\n').filter((line) => line !== '')).toHaveLength(5)
      expect(script).not.toMatch(/secret|password|postgres/i)
    }
  })

  it('that are nodes may write their logs, and nothing else', () => {
    const policies = ofType('AWS::IAM::Policy', [templateOf(region)]).map(({ properties }) => properties.PolicyDocument)
    const statements = policies.flatMap((document) => (document as { Statement: Record<string, unknown>[] }).Statement)
    const logs = ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents']
    expect(statements.filter(({ Effect }) => Effect === 'Allow')).toEqual([
      {
        Sid: 'WriteLogs',
        Effect: 'Allow',
        Action: logs,
        Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Logsnode/), 'Arn'] },
      },
    ])
    expect(statements.filter(({ Effect }) => Effect === 'Deny')).toEqual([
      { Sid: 'NothingElse', Effect: 'Deny', NotAction: expect.arrayContaining(logs), Resource: '*' },
    ])
    for (const { id, properties } of ofType('AWS::IAM::Role', [templateOf(region)])) {
      expect(properties, id).not.toHaveProperty('ManagedPolicyArns')
    }
  })

  it('of each part read their own settings and secrets', () => {
    const read = (part: string): readonly string[] =>
      ofType('AWS::IAM::Policy', [templateOf(controlPlane)])
        .filter(({ id }) => id.startsWith(`${part}RoleDefaultPolicy`))
        .flatMap(({ properties }) => (properties.PolicyDocument as { Statement: Record<string, unknown>[] }).Statement)
        .filter(({ Sid }) => Sid === 'Secrets')
        .flatMap(({ Resource }) => (Array.isArray(Resource) ? Resource : [Resource]))
        .map((secret) => /Ref(MasterKey|SmtpUrl)|(Product|Cells)Instance/.exec(JSON.stringify(secret)))
        .map((match) => match?.[1] ?? match?.[2] ?? 'another')
        .toSorted()
    expect(read('Api')).toEqual(['MasterKey', 'SmtpUrl'])
    expect(read('Provisioner')).toEqual(['Cells', 'MasterKey', 'Product'])
    expect(read('Discovery')).toEqual(['MasterKey'])
  })
})

describe('what is kept', () => {
  it('in databases: encrypted, by TLS alone, in no public place, and not deleted by a slip', () => {
    const databases = ofType('AWS::RDS::DBInstance')
    expect(databases).toHaveLength(2)
    for (const { id, properties } of databases) {
      expect(properties, id).toMatchObject({
        StorageEncrypted: true,
        PubliclyAccessible: false,
        DeletionProtection: true,
        MultiAZ: true,
        ManageMasterUserPassword: true,
        MasterUserSecret: { KmsKeyId: expect.anything() },
        BackupRetentionPeriod: 14,
      })
      expect(properties, id).not.toHaveProperty('MasterUserPassword')
    }
    for (const { id, properties } of ofType('AWS::RDS::DBParameterGroup')) {
      expect(properties.Parameters, id).toMatchObject({ 'rds.force_ssl': '1' })
    }
    const kept = Object.values(templateOf(data).Resources).filter(({ Type }) => Type === 'AWS::RDS::DBInstance')
    expect(kept.map(({ DeletionPolicy }) => DeletionPolicy)).toEqual(['Snapshot', 'Snapshot'])
  })

  it('as secrets and logs: with the key of the installation, which rotates', () => {
    for (const { id, properties } of ofType('AWS::SecretsManager::Secret'))
      expect(properties, id).toHaveProperty('KmsKeyId')
    for (const { id, properties } of ofType('AWS::Logs::LogGroup')) {
      expect(properties, id).toHaveProperty('KmsKeyId')
      expect(properties.RetentionInDays, id).toBeGreaterThan(0)
    }
    expect(ofType('AWS::KMS::Key').map(({ properties }) => properties.EnableKeyRotation)).toEqual([true])
  })

  it('makes a master key that the product takes: 32 bytes in hex', () => {
    Template.fromStack(data).hasResourceProperties('AWS::SecretsManager::Secret', {
      Name: 'aqueduct/prod/master-key',
      GenerateSecretString: {
        PasswordLength: 64,
        ExcludeCharacters: 'ghijklmnopqrstuvwxyz',
        ExcludeUppercase: true,
        ExcludePunctuation: true,
      },
    })
  })

  it('in a bucket: private, encrypted, by TLS alone', () => {
    for (const { id, properties } of ofType('AWS::S3::Bucket')) {
      expect(properties.PublicAccessBlockConfiguration, id).toEqual({
        ...{ BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      })
      expect(properties, id).toHaveProperty('BucketEncryption')
    }
    const policies = ofType('AWS::S3::BucketPolicy').map(({ properties }) => JSON.stringify(properties))
    expect(policies).toHaveLength(ofType('AWS::S3::Bucket').length)
    for (const policy of policies) expect(policy).toContain('"aws:SecureTransport":"false"')
  })
})

describe('the doors', () => {
  it('of the API: TLS 1.3 or a strong 1.2 with the given certificate, gRPC by its paths, the rest is REST', () => {
    const { certificateArn } = exampleInstallation()
    const template = Template.fromStack(controlPlane)
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Protocol: 'HTTPS',
      Port: 443,
      Certificates: [{ CertificateArn: certificateArn }],
      SslPolicy: Match.stringLikeRegexp('^ELBSecurityPolicy-TLS13-1-2-Res'),
    })
    template.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', {
      Conditions: [
        {
          Field: 'path-pattern',
          PathPatternConfig: { Values: ['/temporal.api.cloud.cloudservice.v1.CloudService/*'] },
        },
      ],
    })
    const versions = ofType('AWS::ElasticLoadBalancingV2::TargetGroup').map(({ properties }) => properties)
    expect(versions).toContainEqual(expect.objectContaining({ Protocol: 'HTTPS', ProtocolVersion: 'GRPC', Port: 7073 }))
    expect(versions).toContainEqual(
      expect.objectContaining({ Protocol: 'HTTPS', ProtocolVersion: 'HTTP1', Port: 7443 }),
    )
  })

  it('that pass TLS through keep the address of whoever calls: a join is bound to it', () => {
    const groups = ofType('AWS::ElasticLoadBalancingV2::TargetGroup').filter(
      ({ properties }) => properties.Protocol === 'TCP',
    )
    expect(groups.map(({ properties }) => properties.Port).toSorted()).toEqual([7073, 7095, 7097, 7443, 7444])
    for (const { id, properties } of groups) {
      expect(properties.TargetGroupAttributes, id).toContainEqual({ Key: 'preserve_client_ip.enabled', Value: 'true' })
    }
  })

  it('for operators and nodes are inside, all write down who called, and none is deleted by a slip', () => {
    const balancers = ofType('AWS::ElasticLoadBalancingV2::LoadBalancer')
    expect(
      balancers.map(({ properties }) => `${String(properties.Scheme)} ${String(properties.Type)}`).toSorted(),
    ).toEqual(['internal network', 'internal network', 'internet-facing application', 'internet-facing network'])
    for (const { id, properties } of balancers) {
      const attributes = properties.LoadBalancerAttributes
      expect(attributes, id).toContainEqual({ Key: 'access_logs.s3.enabled', Value: 'true' })
      expect(attributes, id).toContainEqual({ Key: 'deletion_protection.enabled', Value: 'true' })
      expect(properties.SecurityGroups, id).toHaveLength(1)
    }
  })
})

describe('images', () => {
  const imageTemplate = Template.fromStack(image)

  it('say which is the newest where machines are started from, and carry the tag that lets them', () => {
    for (const kind of ['node', 'control-plane']) {
      imageTemplate.hasResourceProperties('AWS::ImageBuilder::DistributionConfiguration', {
        Distributions: [
          Match.objectLike({
            AmiDistributionConfiguration: Match.objectLike({ AmiTags: Match.objectLike({ 'aqueduct:image': 'prod' }) }),
            SsmParameterConfigurations: [{ ParameterName: `/aqueduct/prod/${kind}-image`, DataType: 'aws:ec2:image' }],
          }),
        ],
      })
    }
  })

  it('are encrypted, built on machines with IMDSv2, tested, and built anew each week', () => {
    for (const { properties } of ofType('AWS::ImageBuilder::ImageRecipe')) {
      expect(properties.BlockDeviceMappings).toMatchObject([{ Ebs: { Encrypted: true, KmsKeyId: expect.anything() } }])
    }
    imageTemplate.allResourcesProperties('AWS::ImageBuilder::InfrastructureConfiguration', {
      InstanceMetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    })
    imageTemplate.allResourcesProperties('AWS::ImageBuilder::ImagePipeline', {
      Schedule: { ScheduleExpression: 'cron(0 3 ? * mon *)' },
      ImageTestsConfiguration: { ImageTestsEnabled: true },
    })
    imageTemplate.resourceCountIs('AWS::ImageBuilder::Image', 2)
  })
})
