import { invalid, invalidField, type Problem } from '#libs/base'
import { cloud, payloadType, type temporal, toTimestamp } from '#libs/cloud-api'
import type { NamespaceState } from '#libs/domain/namespaces'
import type { NexusEndpointSpec } from '#libs/domain/nexus-endpoints'
import { type NexusEndpointRow, nexusEndpointSpecOf } from '#libs/store/nexus-endpoints'
import type { HandlersOf } from '../operations/wire.ts'

export type NexusEndpointHandlers = HandlersOf<
  'CreateNexusEndpoint' | 'GetNexusEndpoints' | 'GetNexusEndpoint' | 'UpdateNexusEndpoint' | 'DeleteNexusEndpoint'
>

type WireSpec = temporal.api.cloud.nexus.v1.IEndpointSpec
type WireEndpoint = temporal.api.cloud.nexus.v1.IEndpoint
type WirePayload = temporal.api.common.v1.IPayload

const { ResourceState } = cloud.resource.v1

/** @throws AppError `invalid` for what cannot be read: a target or a policy of no kind that there is. */
export function nexusEndpointSpecFromWire(wire: WireSpec | null | undefined): NexusEndpointSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const problems: Problem[] = []
  const target = wire.targetSpec?.workerTargetSpec ?? undefined
  if (target === undefined) problems.push({ field: 'spec.target_spec.worker_target_spec', message: 'must be given' })
  const allowedNamespaceIds = (wire.policySpecs ?? []).map((policy, index) => {
    const allowed = policy.allowedCloudNamespacePolicySpec ?? undefined
    if (allowed === undefined) {
      const field = `spec.policy_specs[${index}].allowed_cloud_namespace_policy_spec`
      problems.push({ field, message: 'must be given' })
    }
    return allowed?.namespaceId ?? ''
  })
  if (problems.length > 0) throw invalid(problems)
  const description = descriptionFromWire(wire)
  return {
    name: wire.name ?? '',
    ...(description === undefined ? {} : { description }),
    targetNamespaceId: target?.namespaceId ?? '',
    targetTaskQueue: target?.taskQueue ?? '',
    allowedNamespaceIds,
  }
}

/** None, an empty one and one of an empty text are three things. The text of old clients becomes what a new one would send. */
function descriptionFromWire({ description, descriptionDeprecated }: WireSpec): Uint8Array | undefined {
  if (description !== null && description !== undefined) return encoded(description)
  const text = descriptionDeprecated ?? ''
  if (text === '') return undefined
  return encoded({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(text)) })
}

/** With the metadata in order: clients write maps in any, and the same description is the same bytes here. */
function encoded(payload: WirePayload): Uint8Array {
  const metadata = Object.entries(payload.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return payloadType.encode({ ...payload, metadata: Object.fromEntries(metadata) }).finish()
}

const states: Readonly<Record<NamespaceState, number>> = {
  activating: ResourceState.RESOURCE_STATE_ACTIVATING,
  activation_failed: ResourceState.RESOURCE_STATE_ACTIVATION_FAILED,
  active: ResourceState.RESOURCE_STATE_ACTIVE,
  updating: ResourceState.RESOURCE_STATE_UPDATING,
  update_failed: ResourceState.RESOURCE_STATE_UPDATE_FAILED,
  deleting: ResourceState.RESOURCE_STATE_DELETING,
  delete_failed: ResourceState.RESOURCE_STATE_DELETE_FAILED,
  deleted: ResourceState.RESOURCE_STATE_DELETED,
}

/** @param operationId of what is under way; empty when nothing is. */
export function nexusEndpointToWire(row: NexusEndpointRow, operationId: string): WireEndpoint {
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: specToWire(nexusEndpointSpecOf(row)),
    state: states[row.state],
    asyncOperationId: operationId,
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}

function specToWire(spec: NexusEndpointSpec): WireSpec {
  const description = spec.description === undefined ? undefined : payloadType.decode(spec.description)
  return {
    name: spec.name,
    targetSpec: { workerTargetSpec: { namespaceId: spec.targetNamespaceId, taskQueue: spec.targetTaskQueue } },
    policySpecs: spec.allowedNamespaceIds.map((namespaceId) => ({ allowedCloudNamespacePolicySpec: { namespaceId } })),
    ...(description === undefined ? {} : { description, descriptionDeprecated: textOf(description) }),
  }
}

/** What old clients can show; empty when the description is no text. */
function textOf({ metadata, data }: WirePayload): string {
  const encoding = Buffer.from(metadata?.encoding ?? []).toString()
  if (encoding !== 'json/plain') return ''
  try {
    const value: unknown = JSON.parse(Buffer.from(data ?? []).toString('utf8'))
    return typeof value === 'string' ? value : ''
  } catch {
    return ''
  }
}
