import type { CertificateFilter } from './certificate-filter.ts'
import type { NexusSecret } from './nexus-names.ts'
import type { PrivateLink } from './private-link.ts'

/** What one cell's edge is to serve: read from the rows in one snapshot, turned into Envoy's words by `apps/edge`. */
export interface EdgeIntent {
  readonly cellId: string
  /** TCP port that Envoy listens on at the node's address. */
  readonly port: number
  /** The same of the private listener, which the load balancers of private connections reach, and nobody else. */
  readonly privatePort: number
  /** `host:port` of every frontend of the cell: plain gRPC (HTTP/2 prior knowledge). */
  readonly frontends: readonly { readonly host: string; readonly port: number }[]
  /** TCP port of every frontend's HTTP API; absent where no node needs to know. */
  readonly frontendHttpPort?: number
  readonly namespaces: readonly EdgeNamespace[]
  /** Public keys (JWKS JSON) that API keys are signed with, and their issuer and audience. */
  readonly apiKeys: TokenTrust
  /** The same for the provisioner's probe. A probe's token names in `aud` the one namespace that it may ask about. */
  readonly probe: { readonly issuer: string; readonly jwks: string }
  /** Absent: nothing is routed for Nexus. */
  readonly nexus?: EdgeNexus
}

/** Nexus between the cell's namespaces. Ids of namespaces that are not among the intent's own count for nothing. */
export interface EdgeNexus {
  readonly secret: NexusSecret
  readonly endpoints: readonly EdgeNexusEndpoint[]
  /** Namespaces that may have operations under way, whatever the endpoints say now: their completions are let in. */
  readonly callers: readonly string[]
}

export interface EdgeNexusEndpoint {
  /** `nexus-…` */
  readonly id: string
  /** Unique within its tenant alone. */
  readonly name: string
  readonly generation: number
  readonly targetNamespaceId: string
  readonly targetTaskQueue: string
  /** Namespaces of the same tenant that may call it. */
  readonly allowedNamespaceIds: readonly string[]
}

export interface TokenTrust {
  readonly issuer: string
  readonly audience: string
  readonly jwks: string
}

export interface EdgeNamespace {
  /** `payments.a1b2c` */
  readonly id: string
  /** SNI and authority: `payments.a1b2c.<domain>` */
  readonly hostname: string
  /** The namespace row's generation: the version route answers with it, so that "it acts" can be asked, not guessed. */
  readonly generation: number
  readonly serverCertificatePem: string
  readonly serverKeyPem: string
  /** Undefined while mTLS is off. */
  readonly clientCa?: { readonly pem: string; readonly filters: readonly CertificateFilter[] }
  readonly apiKeysEnabled: boolean
  /** Where it is served; undefined: on the public listener alone. */
  readonly reach?: { readonly isPublic: boolean; readonly privateLinks: readonly PrivateLink[] }
  /** Refuses every call, and says why; the data stays. */
  readonly suspended: boolean
  /** SHA-256 fingerprints (lower-case hex, no colons) of leaves that are revoked. */
  readonly revokedFingerprints: readonly string[]
  /** `jti` of keys of this tenant that are revoked, disabled or deleted and whose tokens have not expired by themselves. */
  readonly revokedKeyIds: readonly string[]
  /** Principal ids (`sub` of an API key) by what they may do on this namespace. */
  readonly writers: readonly string[]
  readonly readers: readonly string[]
  /** Injected towards the frontend; each names this namespace alone. */
  readonly tokens: { readonly write: string; readonly read: string }
}
