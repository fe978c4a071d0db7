import type { X509Certificate } from 'node:crypto'

/** What a caller shows to say who they are. Nothing in it has been believed yet, except the certificate's chain. */
export interface Credentials {
  /** The `authorization` header as it came; undefined when there was none. */
  readonly authorization: string | undefined
  /** A client certificate that the TLS layer has verified; undefined on plain connections and without one. */
  readonly peerCertificate: X509Certificate | undefined
  /** The address of the other end of the connection. */
  readonly sourceAddress: string
}

/** Asks that a mutation be checked and not done. */
export const dryRunHeader = 'x-aqueduct-dry-run'

export type Transport = 'rest' | 'grpc'

/** What a handler knows about a call, beside its request: who makes it, and how it came. */
export interface CallContext<Claims> {
  readonly claims: Claims
  /** The caller's own `x-request-id`, or one of ours; it goes back to the caller and stands in every log line. */
  readonly requestId: string
  readonly transport: Transport
  readonly sourceAddress: string
  /** `x-aqueduct-dry-run: true`: check everything, write nothing. */
  readonly dryRun: boolean
  /** When the caller stops waiting (gRPC only). */
  readonly deadline?: Date
  /** `temporal-cloud-api-version` as sent; any is accepted, and so is none. */
  readonly apiVersion?: string
}
