import type { CertificateFilter } from './certificate-filter.ts'

/** What one cell's edge is to serve: read from the rows in one snapshot, turned into Envoy's words by `apps/edge`. */
export interface EdgeIntent {
  readonly cellId: string
  /** TCP port that Envoy listens on at the node's address. */
  readonly port: number
  /** `host:port` of every frontend of the cell: plain gRPC (HTTP/2 prior knowledge). */
  readonly frontends: readonly { readonly host: string; readonly port: number }[]
  readonly namespaces: readonly EdgeNamespace[]
  /** Public keys (JWKS JSON) that API keys are signed with, and their issuer and audience. */
  readonly apiKeys: TokenTrust
  /** The same for the provisioner's probe. A probe's token names in `aud` the one namespace that it may ask about. */
  readonly probe: { readonly issuer: string; readonly jwks: string }
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
