import { type AppError, invalid, invalidField, type Problem } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import type { CertificateFilter } from '#libs/domain/edges'
import {
  actionsPerSecond,
  type CodecServer,
  type HighAvailability,
  type MtlsAuth,
  type NamespaceSpec,
  type NamespaceState,
} from '#libs/domain/namespaces'
import type { ConnectivityRuleRow } from '#libs/store/connectivity-rules'
import type { NamespaceRow } from '#libs/store/namespaces'
import { capacityFromWire, capacitySpecToWire, capacityToWire } from '../capacity/wire.ts'
import { connectivityOf } from '../connectivity-rules/wire.ts'
import type { HandlersOf } from '../operations/wire.ts'
import { searchAttributesFromWire, searchAttributesToWire } from '../search-attributes/wire.ts'
import { type EndpointNames, endpointsOf } from './endpoints.ts'

export type NamespaceHandlers = HandlersOf<
  'CreateNamespace' | 'GetNamespaces' | 'GetNamespace' | 'UpdateNamespace' | 'DeleteNamespace'
>

type WireSpec = temporal.api.cloud.namespace.v1.INamespaceSpec
type WireNamespace = temporal.api.cloud.namespace.v1.INamespace
type WireMtls = temporal.api.cloud.namespace.v1.IMtlsAuthSpec
type WireCodec = temporal.api.cloud.namespace.v1.ICodecServerSpec

const { ResourceState } = cloud.resource.v1
const { NamespaceRegionStatus, Replica } = cloud.namespace.v1

/**
 * What a request asks for. Absent parts mean "off" or "none", except regions, capacity, fairness and high availability,
 * which stay those of `current`: clients leave them out of updates.
 * @throws AppError `invalid` for what cannot be read: nothing is dropped silently.
 */
export function specFromWire(wire: WireSpec | null | undefined, current?: NamespaceSpec): NamespaceSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const problems: Problem[] = []
  const regions = regionsFromWire(wire, problems)
  const mtlsAuth = mtlsFromWire(wire.mtlsAuth ?? {}, problems, current?.mtlsAuth.acceptedClientCa)
  const codecServer = codecFromWire(wire.codecServer)
  const searchAttributes = searchAttributesFromWire(wire, current?.searchAttributes ?? {}, problems)
  const capacity = capacityFromWire(wire.capacitySpec, problems) ?? current?.capacity
  const fairness = fairnessFromWire(wire) ?? current?.fairness
  const highAvailability = highAvailabilityFromWire(wire) ?? current?.highAvailability
  if (problems.length > 0) throw invalid(problems)
  return {
    name: wire.name ?? '',
    regions: regions.length === 0 && current !== undefined ? current.regions : regions,
    retentionDays: wire.retentionDays ?? 0,
    mtlsAuth,
    apiKeyAuth: { enabled: wire.apiKeyAuth?.enabled ?? false },
    ...(codecServer === undefined ? {} : { codecServer }),
    deletionProtected: wire.lifecycle?.enableDeleteProtection ?? false,
    ...connectivityFromWire(wire.connectivityRuleIds),
    searchAttributes,
    ...(capacity === undefined ? {} : { capacity }),
    ...(fairness === undefined ? {} : { fairness }),
    ...(highAvailability === undefined ? {} : { highAvailability }),
  }
}

function fairnessFromWire({ fairness }: WireSpec): NamespaceSpec['fairness'] {
  if (fairness === null || fairness === undefined) return undefined
  return { taskQueueFairness: fairness.taskQueueFairnessEnabled ?? false }
}

function highAvailabilityFromWire({ highAvailability: wire }: WireSpec): HighAvailability | undefined {
  if (wire === null || wire === undefined) return undefined
  return {
    disableManagedFailover: wire.disableManagedFailover ?? false,
    disablePassivePollerForwarding: wire.disablePassivePollerForwarding ?? false,
  }
}

/** Without a rule, the namespace is public: an update that names none takes those away that there were. */
function connectivityFromWire(ids: readonly string[] | null | undefined): Pick<NamespaceSpec, 'connectivityRuleIds'> {
  const unique = [...new Set(ids ?? [])]
  return unique.length === 0 ? {} : { connectivityRuleIds: unique }
}

function regionsFromWire(wire: WireSpec, problems: Problem[]): readonly string[] {
  const regions = wire.regions ?? []
  const replicas = (wire.replicas ?? []).map((replica) => replica.region ?? '')
  if (regions.length > 0 && replicas.length > 0 && regions.join('\n') !== replicas.join('\n')) {
    problems.push({ field: 'spec.replicas', message: 'differs from spec.regions: give one of them' })
  }
  return replicas.length > 0 ? replicas : regions
}

function mtlsFromWire(wire: WireMtls, problems: Problem[], currentCa: string | undefined): MtlsAuth {
  return {
    enabled: wire.enabled ?? false,
    acceptedClientCa: caFromWire(wire, problems, currentCa),
    certificateFilters: (wire.certificateFilters ?? []).map(
      (filter): CertificateFilter => ({
        commonName: filter.commonName ?? '',
        organization: filter.organization ?? '',
        organizationalUnit: filter.organizationalUnit ?? '',
        subjectAlternativeName: filter.subjectAlternativeName ?? '',
      }),
    ),
  }
}

const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/

/**
 * Clients compare bytes: what is kept as text must come back as the very same bytes. Of two that differ, the one counts
 * that is not as it was read: whoever changes one sends the other one back.
 */
function caFromWire(wire: WireMtls, problems: Problem[], current: string | undefined): string {
  const bytes = Buffer.from(wire.acceptedClientCa ?? [])
  const old = (wire.acceptedClientCaDeprecated ?? '').replace(/\s/g, '')
  const field = old !== '' && bytes.length === 0 ? 'accepted_client_ca_deprecated' : 'accepted_client_ca'
  const report = (message: string) => {
    problems.push({ field: `spec.mtls_auth.${field}`, message })
    return ''
  }
  if (!base64.test(old)) return report('is not base64')
  const oldBytes = Buffer.from(old, 'base64')
  const isCurrent = (given: Buffer) => current !== undefined && given.equals(Buffer.from(current, 'utf8'))
  if (bytes.length > 0 && oldBytes.length > 0 && !bytes.equals(oldBytes) && !isCurrent(bytes) && !isCurrent(oldBytes)) {
    return report('differs from accepted_client_ca_deprecated: give one of them')
  }
  const given = bytes.length === 0 || (oldBytes.length > 0 && isCurrent(bytes)) ? oldBytes : bytes
  const text = given.toString('utf8')
  return Buffer.from(text, 'utf8').equals(given) && !text.includes('\0') ? text : report('is not PEM text')
}

/** An empty message is as good as none: some clients send it so. */
function codecFromWire(wire: WireCodec | null | undefined): CodecServer | undefined {
  if (wire === null || wire === undefined) return undefined
  const { message, link } = wire.customErrorMessage?.default ?? {}
  const custom = { message: message ?? '', link: link ?? '' }
  const hasCustom = custom.message !== '' || custom.link !== ''
  const codec = {
    endpoint: wire.endpoint ?? '',
    passAccessToken: wire.passAccessToken ?? false,
    includeCrossOriginCredentials: wire.includeCrossOriginCredentials ?? false,
    ...(hasCustom ? { customErrorMessage: custom } : {}),
  }
  const isEmpty = codec.endpoint === '' && !codec.passAccessToken && !codec.includeCrossOriginCredentials && !hasCustom
  return isEmpty ? undefined : codec
}

const states: Readonly<Record<NamespaceState, { readonly state: number; readonly text: string }>> = {
  activating: { state: ResourceState.RESOURCE_STATE_ACTIVATING, text: 'activating' },
  activation_failed: { state: ResourceState.RESOURCE_STATE_ACTIVATION_FAILED, text: 'activationfailed' },
  active: { state: ResourceState.RESOURCE_STATE_ACTIVE, text: 'active' },
  updating: { state: ResourceState.RESOURCE_STATE_UPDATING, text: 'updating' },
  update_failed: { state: ResourceState.RESOURCE_STATE_UPDATE_FAILED, text: 'updatefailed' },
  deleting: { state: ResourceState.RESOURCE_STATE_DELETING, text: 'deleting' },
  delete_failed: { state: ResourceState.RESOURCE_STATE_DELETE_FAILED, text: 'deletefailed' },
  deleted: { state: ResourceState.RESOURCE_STATE_DELETED, text: 'deleted' },
}

const regionStates = {
  adding: { state: NamespaceRegionStatus.State.STATE_ADDING, replica: Replica.ReplicaState.REPLICA_STATE_ADDING },
  active: { state: NamespaceRegionStatus.State.STATE_ACTIVE, replica: Replica.ReplicaState.REPLICA_STATE_ACTIVE },
  removing: { state: NamespaceRegionStatus.State.STATE_REMOVING, replica: Replica.ReplicaState.REPLICA_STATE_REMOVING },
  failed: { state: NamespaceRegionStatus.State.STATE_FAILED, replica: Replica.ReplicaState.REPLICA_STATE_FAILED },
} as const

const regionStateOf: Readonly<Record<NamespaceState, keyof typeof regionStates>> = {
  activating: 'adding',
  activation_failed: 'failed',
  active: 'active',
  updating: 'active',
  update_failed: 'active',
  deleting: 'removing',
  delete_failed: 'failed',
  deleted: 'removing',
}

/**
 * @param operationId of what is under way; empty when nothing is.
 * @param rules at least those that the row's spec names.
 */
export function namespaceToWire(
  row: NamespaceRow,
  operationId: string,
  rules: ReadonlyMap<string, ConnectivityRuleRow>,
  names: EndpointNames,
): WireNamespace {
  const { state, text } = states[row.state]
  const regionText = regionStateOf[row.state]
  const region = regionStates[regionText]
  const { regions } = row.spec
  return {
    namespace: row.id,
    resourceVersion: String(row.resource_version),
    spec: specToWire(row.spec),
    state,
    stateDeprecated: text,
    asyncOperationId: operationId,
    endpoints: endpointsOf(row.id, row.spec, names),
    activeRegion: row.region,
    limits: { actionsPerSecondLimit: actionsPerSecond(row.capacity_status?.current) },
    ...(row.spec.capacity === undefined ? {} : { capacity: capacityToWire(row) }),
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
    regionStatus: Object.fromEntries(
      regions.map((id) => [id, { state: region.state, stateDeprecated: regionText, asyncOperationId: operationId }]),
    ),
    tags: row.tags,
    ...connectivityOf(row.spec.connectivityRuleIds ?? [], rules),
    replicas: regions.map((id) => ({ id, region: id, isPrimary: id === row.region, state: region.replica })),
  }
}

/** `api_key_auth` is always there; capacity, fairness and high availability are once somebody has set them. */
function specToWire(spec: NamespaceSpec): WireSpec {
  const { mtlsAuth, codecServer, capacity, fairness, highAvailability } = spec
  const ca = Buffer.from(mtlsAuth.acceptedClientCa, 'utf8')
  return {
    name: spec.name,
    regions: [...spec.regions],
    replicas: spec.regions.map((region) => ({ region })),
    retentionDays: spec.retentionDays,
    mtlsAuth: {
      enabled: mtlsAuth.enabled,
      acceptedClientCa: ca,
      acceptedClientCaDeprecated: ca.toString('base64'),
      certificateFilters: mtlsAuth.certificateFilters.map((filter) => ({ ...filter })),
    },
    apiKeyAuth: { enabled: spec.apiKeyAuth.enabled },
    ...(codecServer === undefined ? {} : { codecServer: codecToWire(codecServer) }),
    lifecycle: { enableDeleteProtection: spec.deletionProtected },
    connectivityRuleIds: [...(spec.connectivityRuleIds ?? [])],
    ...searchAttributesToWire(spec.searchAttributes ?? {}),
    ...(capacity === undefined ? {} : { capacitySpec: capacitySpecToWire(capacity) }),
    ...(fairness === undefined ? {} : { fairness: { taskQueueFairnessEnabled: fairness.taskQueueFairness } }),
    ...(highAvailability === undefined ? {} : { highAvailability: { ...highAvailability } }),
  }
}

function codecToWire({ customErrorMessage, ...codec }: CodecServer): WireCodec {
  if (customErrorMessage === undefined) return codec
  return { ...codec, customErrorMessage: { default: { ...customErrorMessage } } }
}

/** Tags as the contract's map holds them. */
export function tagsFromWire(
  tags: Readonly<Record<string, string>> | null | undefined,
): Readonly<Record<string, string>> {
  return { ...tags }
}

/** A message that names the CA's field, for what `#libs/pki` found wrong. */
export function caProblems(problems: readonly string[]): AppError {
  return invalid(problems.map((message) => ({ field: 'spec.mtls_auth.accepted_client_ca', message })))
}
