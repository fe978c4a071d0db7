import type { CertificateFilter } from '#libs/domain/edges'

/** What a caller asked a namespace to be. Stored as it stands; `undefined` and empty differ where the contract says so. */
export interface NamespaceSpec {
  readonly name: string
  /** Region ids; the first is the active one. */
  readonly regions: readonly string[]
  /** Days that closed workflows are kept, 1–90. */
  readonly retentionDays: number
  readonly mtlsAuth: MtlsAuth
  readonly apiKeyAuth: { readonly enabled: boolean }
  readonly codecServer?: CodecServer
  readonly deletionProtected: boolean
  /** At most 10 pairs. */
  readonly tags: Readonly<Record<string, string>>
}

export interface MtlsAuth {
  readonly enabled: boolean
  /** PEM bundle, byte for byte as the caller sent it: clients compare it. Empty when there is none. */
  readonly acceptedClientCa: string
  readonly certificateFilters: readonly CertificateFilter[]
}

export interface CodecServer {
  /** https only. */
  readonly endpoint: string
  readonly passAccessToken: boolean
  readonly includeCrossOriginCredentials: boolean
}
