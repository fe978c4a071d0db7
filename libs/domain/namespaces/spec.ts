import type { CertificateFilter } from '#libs/domain/edges'
import type { Capacity } from './capacity.ts'
import type { SearchAttributes } from './search-attributes.ts'

/**
 * What a caller asked a namespace to be. Stored as it stands; `undefined` and empty differ where the contract says so.
 * Tags are not in here: they belong to the namespace and have a call of their own.
 */
export interface NamespaceSpec {
  readonly name: string
  /** Region ids, of `regions` or `replicas` on the wire, which always say the same; the first is the active one. */
  readonly regions: readonly string[]
  /** Days that closed workflows are kept, 1–90. */
  readonly retentionDays: number
  readonly mtlsAuth: MtlsAuth
  readonly apiKeyAuth: { readonly enabled: boolean }
  /** Undefined when there is none; an empty endpoint does not occur. */
  readonly codecServer?: CodecServer
  /** Ids of connectivity rules, none twice; absent while there are none, and the namespace is public. The order means nothing. */
  readonly connectivityRuleIds?: readonly string[]
  /** `lifecycle.enable_delete_protection` */
  readonly deletionProtected: boolean
  /** Custom search attributes; undefined as good as none. */
  readonly searchAttributes?: SearchAttributes
  /** Undefined until somebody sets it, and never again after that. */
  readonly capacity?: Capacity
  /** Undefined until somebody sets it, and never again after that. */
  readonly fairness?: { readonly taskQueueFairness: boolean }
  /** Flags for replication, which a namespace of one region has no use for: kept for clients that read them back. */
  readonly highAvailability?: HighAvailability
}

export interface HighAvailability {
  readonly disableManagedFailover: boolean
  readonly disablePassivePollerForwarding: boolean
}

export interface MtlsAuth {
  readonly enabled: boolean
  /** PEM bundle, byte for byte as the caller sent it: clients compare it. Empty when there is none. Kept while mTLS is off. */
  readonly acceptedClientCa: string
  /** In the caller's order; kept while mTLS is off. */
  readonly certificateFilters: readonly CertificateFilter[]
}

export interface CodecServer {
  /** https only. */
  readonly endpoint: string
  readonly passAccessToken: boolean
  readonly includeCrossOriginCredentials: boolean
  /** Shown by a UI when the codec server fails. */
  readonly customErrorMessage?: { readonly message: string; readonly link: string }
}

/** Whether two specs ask for the same. The order of regions and of filters is part of what is asked. */
export function specEquals(a: NamespaceSpec, b: NamespaceSpec): boolean {
  return canonical(a) === canonical(b)
}

/**
 * Whether the difference is one that the cell or the edge has to follow. Codec server, delete protection and the flags
 * of high availability are only told to who asks, and acted on by the API itself.
 */
export function needsReconciling(before: NamespaceSpec, after: NamespaceSpec): boolean {
  const { codecServer, highAvailability, ...rest } = before
  const told = {
    ...(codecServer === undefined ? {} : { codecServer }),
    ...(highAvailability === undefined ? {} : { highAvailability }),
    deletionProtected: rest.deletionProtected,
  }
  const { codecServer: _codec, highAvailability: _flags, ...acted } = after
  return !specEquals({ ...rest, ...told }, { ...acted, ...told })
}

function canonical(spec: NamespaceSpec): string {
  const { mtlsAuth, codecServer, capacity, highAvailability } = spec
  return JSON.stringify([
    spec.name,
    spec.regions,
    spec.retentionDays,
    mtlsAuth.enabled,
    mtlsAuth.acceptedClientCa,
    mtlsAuth.certificateFilters.map((filter) => [
      filter.commonName,
      filter.organization,
      filter.organizationalUnit,
      filter.subjectAlternativeName,
    ]),
    spec.apiKeyAuth.enabled,
    codecServer === undefined
      ? null
      : [
          codecServer.endpoint,
          codecServer.passAccessToken,
          codecServer.includeCrossOriginCredentials,
          codecServer.customErrorMessage?.message ?? '',
          codecServer.customErrorMessage?.link ?? '',
        ],
    spec.deletionProtected,
    [...(spec.connectivityRuleIds ?? [])].sort(),
    Object.entries(spec.searchAttributes ?? {})
      .map(([name, { type }]) => [name, type])
      .toSorted(),
    capacity === undefined ? null : [capacity.mode, capacity.mode === 'provisioned' ? capacity.units : 0],
    spec.fairness?.taskQueueFairness ?? null,
    highAvailability === undefined
      ? null
      : [highAvailability.disableManagedFailover, highAvailability.disablePassivePollerForwarding],
  ])
}
