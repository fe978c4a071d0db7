import type { Problem } from '#libs/base'
import { linkProviderOf } from './link.ts'
import { type ConnectivityRuleSpec, maxPrivateRules, type PrivateRule } from './spec.ts'

const maxLength = 255
const visible = /^[\x21-\x7e]+$/
const decimal = /^(0|[1-9][0-9]{0,19})$/
const largestConnection = 2n ** 64n - 1n

/** What is wrong with a new rule, field by field with the paths of the wire. */
export function validateConnectivityRule(
  spec: ConnectivityRuleSpec,
  limits: { readonly regions: readonly string[] },
): Problem[] {
  if (spec.kind === 'public') return []
  const path = 'spec.private_rule'
  const problems: Problem[] = []
  const report = (field: string, message: string | undefined) => {
    if (message !== undefined) problems.push({ field: `${path}.${field}`, message })
  }
  report('region', regionMistake(spec.region, limits.regions))
  report('connection_id', connectionMistake(spec))
  report('gcp_project_id', projectMistake(spec))
  return problems
}

/**
 * What is wrong with the rules that a namespace is to have.
 * @param found those of `ids` that the tenant has.
 */
export function validateAttachment(
  ids: readonly string[],
  found: ReadonlyMap<string, { readonly spec: ConnectivityRuleSpec }>,
): Problem[] {
  const field = 'spec.connectivity_rule_ids'
  const missing = ids.filter((id) => !found.has(id))
  if (missing.length > 0) {
    return missing.map((id) => ({ field, message: `there is no connectivity rule ${JSON.stringify(id)}` }))
  }
  const own = ids.filter((id) => found.get(id)?.spec.kind === 'private')
  if (own.length <= maxPrivateRules) return []
  return [{ field, message: `at most ${maxPrivateRules} private rules, not ${own.length}` }]
}

function regionMistake(region: string, known: readonly string[]): string | undefined {
  if (region === '') return 'must be given'
  if (!known.includes(region)) {
    return `there is no region ${JSON.stringify(region)}: the regions are ${known.join(', ')}`
  }
  return linkProviderOf(region) === undefined ? 'private connections are for regions of AWS and GCP' : undefined
}

function connectionMistake({ connectionId, region }: PrivateRule): string | undefined {
  if (connectionId === '') return 'must be given'
  if (connectionId.length > maxLength || !visible.test(connectionId)) {
    return `must have at most ${maxLength} visible ASCII characters`
  }
  if (linkProviderOf(region) !== 'gcp') return undefined
  // What the load balancer says is a number of 64 bits: anything else would be a rule that lets nobody in.
  const isNumber = decimal.test(connectionId) && BigInt(connectionId) <= largestConnection
  return isNumber ? undefined : 'must be a PSC connection id, a decimal number, in a region of GCP'
}

function projectMistake({ gcpProjectId, region }: PrivateRule): string | undefined {
  if (linkProviderOf(region) !== 'gcp') {
    return gcpProjectId === '' ? undefined : 'is for regions of GCP: leave it out'
  }
  if (gcpProjectId === '') return 'must be given in a region of GCP'
  if (gcpProjectId.length > maxLength || !visible.test(gcpProjectId)) {
    return `must have at most ${maxLength} visible ASCII characters`
  }
  return undefined
}
