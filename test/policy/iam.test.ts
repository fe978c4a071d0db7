import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { describe, expect, it } from 'vitest'
import { route53Calls } from '../../apps/provisioner/dns/route53-calls.ts'
import { ec2Calls } from '../../apps/provisioner/drivers/ec2/ec2-calls.ts'
import { exampleInfra, exampleInstallation, resolved, templateOf } from '../harness/infra.ts'

/** What the provisioner may do in AWS is what the product does there: no call less, and none more. */

interface Statement {
  readonly Sid?: string
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const infra = exampleInfra()
const { controlPlane, network, region } = infra
const { Resources } = templateOf(controlPlane)
const policies = Object.values(Resources).filter(({ Type }) => Type === 'AWS::IAM::ManagedPolicy')
const [policy] = policies
const document = policy?.Properties?.PolicyDocument as { readonly Statement: readonly Statement[] } | undefined
const statements = document?.Statement ?? []
const actionsOf = ({ Action }: Statement): readonly string[] => (typeof Action === 'string' ? [Action] : Action)
const granted = [...new Set(statements.flatMap(actionsOf))].toSorted()

/** What no program calls, and what EC2 does in the provisioner's name as it launches: its role for nodes, and encrypted volumes. */
const onBehalf = [
  'iam:PassRole',
  'kms:CreateGrant',
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
]

/** The commands of the SDK that a folder's files send: `RunInstances`. */
function commandsIn(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
  const sent = files.flatMap((text) => [...text.matchAll(/new (\w+)Command\(/g)].map(([, name = '']) => name))
  return [...new Set(sent)].toSorted()
}

const provisioner = resolve(import.meta.dirname, '../../apps/provisioner')
const withoutService = (calls: readonly string[]): readonly string[] =>
  calls.map((call) => call.slice(call.indexOf(':') + 1)).toSorted()

describe('the policy of the provisioner', () => {
  it('is one, and has exactly the calls of the EC2 driver and of DNS', () => {
    expect(policies).toHaveLength(1)
    const calls = granted.filter((action) => !onBehalf.includes(action))
    expect(calls).toEqual([...ec2Calls, ...route53Calls].toSorted())
    expect(granted).toEqual([...ec2Calls, ...route53Calls, ...onBehalf].toSorted())
  })

  it('is fed by lists that have exactly the commands that the product sends', () => {
    // Tags go with what is made: IAM asks for the action, nobody sends the command.
    const called = ec2Calls.filter((call) => call !== 'ec2:CreateTags')
    expect(commandsIn(join(provisioner, 'drivers/ec2'))).toEqual(withoutService(called))
    expect(commandsIn(join(provisioner, 'dns'))).toEqual(withoutService(route53Calls))
    const elsewhere = ['cells', 'collectors', 'reconcilers', 'temporal'].flatMap((folder) => {
      const files = readdirSync(join(provisioner, folder), { recursive: true, encoding: 'utf8' })
      return files.filter(
        (file) => file.endsWith('.ts') && readFileSync(join(provisioner, folder, file), 'utf8').includes('@aws-sdk/'),
      )
    })
    expect(elsewhere).toEqual([])
  })

  it('allows nothing by a wildcard in an action, and nothing but what is allowed', () => {
    expect(granted.filter((action) => action.includes('*'))).toEqual([])
    expect(statements.filter(({ Effect }) => Effect !== 'Allow')).toEqual([])
  })

  const { installation, hostedZoneId, domain } = exampleInstallation()
  const plain = (statement: Statement) => resolved(statement, (reference) => reference) as Statement
  const conditionsOf = (action: string, kind: string) =>
    statements
      .map(plain)
      .filter((statement) => actionsOf(statement).includes(action))
      .filter(({ Resource }) => JSON.stringify(Resource).includes(kind))
      .map(({ Condition }) => Condition)

  it.each([
    ['ec2:RunInstances', ':instance/*'],
    ['ec2:RunInstances', ':volume/*'],
    ['ec2:AllocateAddress', ':elastic-ip/*'],
    ['ec2:CreateTags', ':instance/*'],
  ])('%s on %s wants the tag of the installation in the request', (action, kind) => {
    const [condition, ...others] = conditionsOf(action, kind)
    expect(others).toEqual([])
    expect(condition?.StringEquals).toMatchObject({ 'aws:RequestTag/aqueduct:installation': installation })
  })

  it.each([
    ['ec2:TerminateInstances', ':instance/*'],
    ['ec2:AssociateAddress', ':instance/*'],
    ['ec2:AssociateAddress', ':elastic-ip/*'],
    ['ec2:DisassociateAddress', ':elastic-ip/*'],
    ['ec2:ReleaseAddress', ':elastic-ip/*'],
    ['ec2:DeleteVolume', ':volume/*'],
  ])('%s on %s wants the tag of the installation on the thing', (action, kind) => {
    const [condition, ...others] = conditionsOf(action, kind)
    expect(others).toEqual([])
    expect(condition?.StringEquals).toEqual({ 'aws:ResourceTag/aqueduct:installation': installation })
  })

  it('gives every statement on things that are not named one by one a condition', () => {
    const open = statements.map(plain).filter(({ Resource, Condition }) => {
      return JSON.stringify(Resource).includes('*') && Condition === undefined
    })
    expect(open).toEqual([])
  })

  it('launches machines that ask for IMDSv2, in its own network, with encrypted volumes, from its own images', () => {
    expect(conditionsOf('ec2:RunInstances', ':instance/*')[0]).toMatchObject({
      StringEquals: { 'ec2:MetadataHttpTokens': 'required' },
      NumericEquals: { 'ec2:MetadataHttpPutResponseHopLimit': '1' },
    })
    expect(conditionsOf('ec2:RunInstances', ':volume/*')[0]).toMatchObject({ Bool: { 'ec2:Encrypted': 'true' } })
    expect(conditionsOf('ec2:RunInstances', ':network-interface/*')[0]).toHaveProperty(['ArnEquals', 'ec2:Vpc'])
    expect(conditionsOf('ec2:RunInstances', '::image/*')[0]?.StringEquals).toEqual({
      'ec2:Owner': exampleInstallation().account,
      'aws:ResourceTag/aqueduct:image': installation,
    })
    const own = statements.map(plain).find(({ Sid }) => Sid === 'LaunchInOwnNetwork')?.Resource as string[]
    expect(own).toHaveLength(network.publicSubnets.length + network.privateSubnets.length + 2)
    expect(own.filter((arn) => !/:(subnet|security-group)\//.test(arn) || arn.includes('*'))).toEqual([])
  })

  it('passes the role of nodes alone, to EC2 alone', () => {
    const pass = statements.filter((statement) => actionsOf(statement).includes('iam:PassRole'))
    expect(pass).toHaveLength(1)
    const arn = Stack.of(controlPlane).resolve(region.nodeRole.roleArn) as unknown
    expect(pass[0]?.Resource).toEqual(arn)
    expect(pass[0]?.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } })
  })

  it('changes names of namespaces in its zone alone, and overwrites none', () => {
    const change = statements.find((statement) => actionsOf(statement).includes('route53:ChangeResourceRecordSets'))
    expect(change?.Resource).toBe(`arn:aws:route53:::hostedzone/${hostedZoneId}`)
    expect(change?.Condition).toEqual({
      'ForAllValues:StringLike': { 'route53:ChangeResourceRecordSetsNormalizedRecordNames': [`*.*.${domain}`] },
      'ForAllValues:StringEquals': {
        'route53:ChangeResourceRecordSetsActions': ['CREATE', 'DELETE'],
        'route53:ChangeResourceRecordSetsRecordTypes': ['A', 'CNAME', 'TXT'],
      },
    })
  })

  it('cannot touch what stands in infra/: nothing there has the tag', () => {
    const stacks = Object.values(infra).filter((stack) => stack instanceof Stack)
    expect(stacks.length).toBeGreaterThan(4)
    const tagged = stacks.flatMap((stack) =>
      Object.entries(templateOf(stack).Resources).filter(([, { Properties }]) =>
        JSON.stringify(Properties?.Tags ?? []).includes('aqueduct:installation'),
      ),
    )
    expect(tagged.map(([id]) => id)).toEqual([])
  })
})
