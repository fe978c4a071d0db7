import { invalid, invalidField, type Problem } from '#libs/base'
import { cloud, fromTimestamp, type temporal, toTimestamp } from '#libs/cloud-api'
import { type ApiKeySpec, type ApiKeyState, apiKeyState } from '#libs/domain/api-keys'
import type { ApiKeyRow } from '#libs/store/api-keys'
import type { HandlersOf } from '../operations/wire.ts'

export type ApiKeyHandlers = HandlersOf<'CreateApiKey' | 'GetApiKeys' | 'GetApiKey' | 'UpdateApiKey' | 'DeleteApiKey'>

type OwnerKind = ApiKeySpec['ownerType']
type WireSpec = temporal.api.cloud.identity.v1.IApiKeySpec

const { OwnerType } = cloud.identity.v1
const { ResourceState } = cloud.resource.v1

const ownerTypes: Readonly<Record<OwnerKind, { readonly value: number; readonly text: string }>> = {
  user: { value: OwnerType.OWNER_TYPE_USER, text: 'user' },
  service_account: { value: OwnerType.OWNER_TYPE_SERVICE_ACCOUNT, text: 'service-account' },
}

const states: Readonly<Record<ApiKeyState, { readonly state: number; readonly text: string }>> = {
  active: { state: ResourceState.RESOURCE_STATE_ACTIVE, text: 'active' },
  expired: { state: ResourceState.RESOURCE_STATE_EXPIRED, text: 'expired' },
  deleted: { state: ResourceState.RESOURCE_STATE_DELETED, text: 'deleted' },
}

/** @throws AppError `invalid` */
export function apiKeySpecFromWire(wire: WireSpec | null | undefined): ApiKeySpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const problems: Problem[] = []
  const ownerType = ownerKindFromWire(wire)
  if (ownerType === undefined) {
    problems.push({ field: 'spec.owner_type', message: 'must be OWNER_TYPE_USER or OWNER_TYPE_SERVICE_ACCOUNT' })
  }
  if ((wire.ownerId ?? '') === '') problems.push({ field: 'spec.owner_id', message: 'must be given' })
  if (problems.length > 0 || ownerType === undefined) throw invalid(problems)
  return {
    ownerType,
    ownerId: wire.ownerId ?? '',
    displayName: wire.displayName ?? '',
    description: wire.description ?? '',
    expiresAt: wholeSeconds(fromTimestamp(wire.expiryTime)),
    disabled: wire.disabled ?? false,
  }
}

/** Which owners a list is about; undefined: all. @throws AppError `invalid` */
export function ownerKindOfFilter(filter: {
  readonly ownerType?: number | null
  readonly ownerTypeDeprecated?: string | null
}): OwnerKind | undefined {
  const kind = ownerKindFromWire(filter)
  if (kind === undefined && ((filter.ownerType ?? 0) !== 0 || (filter.ownerTypeDeprecated ?? '') !== '')) {
    throw invalidField('owner_type', 'must be OWNER_TYPE_USER or OWNER_TYPE_SERVICE_ACCOUNT')
  }
  return kind
}

function ownerKindFromWire(wire: {
  readonly ownerType?: number | null
  readonly ownerTypeDeprecated?: string | null
}): OwnerKind | undefined {
  const value = wire.ownerType ?? 0
  const text = (wire.ownerTypeDeprecated ?? '').toLowerCase().replace('_', '-')
  const kinds: readonly OwnerKind[] = ['user', 'service_account']
  return kinds.find((kind) => (value === 0 ? ownerTypes[kind].text === text : ownerTypes[kind].value === value))
}

/** What a token can say. An absent or impossible time stays invalid, for validation to find. */
function wholeSeconds(date: Date | undefined): Date {
  return new Date(Math.floor((date?.getTime() ?? Number.NaN) / 1000) * 1000)
}

/** The spec of a row, as an update is compared with. */
export function apiKeySpecOf(row: ApiKeyRow): ApiKeySpec {
  return {
    ownerType: row.owner_kind,
    ownerId: row.owner_id,
    displayName: row.display_name,
    description: row.description,
    expiresAt: row.expires_at,
    disabled: row.disabled,
  }
}

export function apiKeyToWire(row: ApiKeyRow, now: Date): temporal.api.cloud.identity.v1.IApiKey {
  const { state, text } = states[apiKeyState({ deleted: row.deleted_at !== null, expiresAt: row.expires_at }, now)]
  const owner = ownerTypes[row.owner_kind]
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: {
      ownerId: row.owner_id,
      ownerType: owner.value,
      ownerTypeDeprecated: owner.text,
      displayName: row.display_name,
      description: row.description,
      expiryTime: toTimestamp(row.expires_at),
      disabled: row.disabled,
    },
    state,
    stateDeprecated: text,
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}
