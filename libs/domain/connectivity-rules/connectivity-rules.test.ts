import { describe, expect, it } from 'vitest'
import {
  type ConnectivityRuleSpec,
  type PrivateRule,
  reachOf,
  validateAttachment,
  validateConnectivityRule,
} from '#libs/domain/connectivity-rules'

const regions = ['aws-us-east-1', 'gcp-europe-west1', 'azure-westeurope']
const open: ConnectivityRuleSpec = { kind: 'public', stableIps: false }
const aws: PrivateRule = { kind: 'private', connectionId: 'vpce-1', region: 'aws-us-east-1', gcpProjectId: '' }
const gcp: PrivateRule = { kind: 'private', connectionId: '7', region: 'gcp-europe-west1', gcpProjectId: 'project' }
const check = (spec: ConnectivityRuleSpec) => validateConnectivityRule(spec, { regions }).map(({ field }) => field)

describe('a connectivity rule', () => {
  it('is public, or one connection of a region', () => {
    for (const spec of [open, aws, gcp]) expect(check(spec)).toEqual([])
    expect(check({ ...aws, connectionId: 'anything-that-is-visible' })).toEqual([])
  })

  it('names a region of AWS or GCP that there is', () => {
    expect(check({ ...aws, region: 'azure-westeurope' })).toEqual(['spec.private_rule.region'])
    expect(check({ ...aws, region: 'aws-eu-west-1' })).toEqual(['spec.private_rule.region'])
  })

  it('names everything at once that is wrong', () => {
    expect(check({ ...gcp, connectionId: '007', gcpProjectId: '' })).toEqual([
      'spec.private_rule.connection_id',
      'spec.private_rule.gcp_project_id',
    ])
  })
})

describe('where a namespace is reached', () => {
  it('is the internet without rules', () => expect(reachOf([], [])).toBeUndefined())

  it('is what its rules say, in whatever order', () => {
    const links = [
      { provider: 'aws', connectionId: 'vpce-1' },
      { provider: 'gcp', connectionId: '7' },
    ]
    expect(reachOf(['a', 'b'], [gcp, aws])).toEqual({ isPublic: false, privateLinks: links })
    expect(reachOf(['a', 'b', 'c', 'd'], [aws, open, gcp, aws])).toEqual({ isPublic: true, privateLinks: links })
    expect(reachOf(['a'], [open])).toEqual({ isPublic: true, privateLinks: [] })
  })

  it('is nowhere when its rules are missing', () => {
    expect(reachOf(['a'], [])).toEqual({ isPublic: false, privateLinks: [] })
    expect(reachOf(['a'], [{ ...aws, region: 'azure-westeurope' }])).toEqual({ isPublic: false, privateLinks: [] })
  })
})

describe('the rules of a namespace', () => {
  const found = new Map(['1', '2', '3', '4', '5', '6'].map((id) => [id, { spec: aws }]))

  it('exist', () => {
    expect(validateAttachment(['1'], found)).toEqual([])
    expect(validateAttachment(['1', 'x', 'y'], found).map(({ message }) => message)).toEqual([
      'there is no connectivity rule "x"',
      'there is no connectivity rule "y"',
    ])
  })

  it('are five private ones at most', () => {
    expect(validateAttachment(['1', '2', '3', '4', '5'], found)).toEqual([])
    expect(validateAttachment([...found.keys()], found)).toHaveLength(1)
    const withPublic = new Map<string, { spec: ConnectivityRuleSpec }>([...found, ['6', { spec: open }]])
    expect(validateAttachment([...withPublic.keys()], withPublic)).toEqual([])
  })
})
