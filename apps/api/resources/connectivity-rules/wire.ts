import { invalidField } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import type { ConnectivityRuleSpec } from '#libs/domain/connectivity-rules'
import { type ConnectivityRuleRow, connectivityRuleSpecOf } from '#libs/store/connectivity-rules'
import type { HandlersOf } from '../operations/wire.ts'

export type ConnectivityRuleHandlers = HandlersOf<
  'CreateConnectivityRule' | 'GetConnectivityRules' | 'GetConnectivityRule' | 'DeleteConnectivityRule'
>

type WireSpec = temporal.api.cloud.connectivityrule.v1.IConnectivityRuleSpec
type WireRule = temporal.api.cloud.connectivityrule.v1.IConnectivityRule
type WireNamespace = temporal.api.cloud.namespace.v1.INamespace

/** @throws AppError `invalid` unless it is of exactly one kind. */
export function connectivityRuleSpecFromWire(wire: WireSpec | null | undefined): ConnectivityRuleSpec {
  const isPublic = (wire?.publicRule ?? undefined) !== undefined
  const rule = wire?.privateRule ?? undefined
  if (isPublic === (rule !== undefined)) {
    throw invalidField('spec', 'must have one of public_rule and private_rule')
  }
  if (rule === undefined) return { kind: 'public', stableIps: wire?.publicRule?.enableStableIps ?? false }
  return {
    kind: 'private',
    connectionId: rule.connectionId ?? '',
    region: rule.region ?? '',
    gcpProjectId: rule.gcpProjectId ?? '',
  }
}

/** Active at once: a rule by itself does nothing. */
export function connectivityRuleToWire(row: ConnectivityRuleRow): WireRule {
  return {
    id: row.id,
    spec: specToWire(connectivityRuleSpecOf(row)),
    resourceVersion: String(row.resource_version),
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
    createdTime: toTimestamp(row.created_at),
  }
}

/** What a namespace's answer says of its rules, in the order that its spec names them. */
export function connectivityOf(
  ruleIds: readonly string[],
  rules: ReadonlyMap<string, ConnectivityRuleRow>,
): Pick<WireNamespace, 'connectivityRules' | 'privateConnectivities'> {
  const own = ruleIds.flatMap((id) => rules.get(id) ?? [])
  const regions = new Set(own.flatMap((row) => (row.kind === 'private' ? [row.region] : [])))
  return {
    connectivityRules: own.map(connectivityRuleToWire),
    // Which service of AWS leads here is known to whoever made it, not to this control plane.
    privateConnectivities: [...regions].sort().map((region) => ({ region })),
  }
}

function specToWire(spec: ConnectivityRuleSpec): WireSpec {
  if (spec.kind === 'public') return { publicRule: { enableStableIps: spec.stableIps } }
  const { connectionId, region, gcpProjectId } = spec
  return { privateRule: { connectionId, region, gcpProjectId } }
}
