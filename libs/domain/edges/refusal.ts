/**
 * What a node agent (`apps/node`) tells the discovery server (`apps/edge`) of calls and connections that its edge or its cell
 * refused: `POST /v1/cells/{cell}/refusals` with a {@link RefusalBatch}, answered by 204 when all of it is in the tenants' audit
 * logs. A node sends a batch under the same number until it is answered, and one at a time.
 */
export interface RefusalBatch {
  /** Of all batches of this node since it began to count. */
  readonly stream: string
  /** Ascending, from 1. */
  readonly number: number
  readonly refusals: readonly EdgeRefusal[]
}

/** Printable ASCII throughout: what a client chose is cut, and everything else in it is a question mark. */
export interface EdgeRefusal {
  readonly namespaceId: string
  /** Milliseconds since 1970, of the latest. */
  readonly at: number
  /** A method's short name, or the path where it is none of ours; `Connect` for a connection. */
  readonly operation: string
  readonly outcome: (typeof edgeOutcomes)[number]
  readonly reason: string
  /** Of a verified API key; '' where there was none. */
  readonly principalId: string
  readonly keyId: string
  /** SHA-256 of the client certificate, hexadecimal; '' where there was none. */
  readonly fingerprint: string
  readonly sourceAddress: string
  /** As the client sent it. */
  readonly requestId: string
  /** Equal refusals that this one stands for. */
  readonly repeats: number
  /** Milliseconds since 1970, of the first of several. */
  readonly firstAt?: number
  /** Too many kinds to tell apart: callers and methods are left out. */
  readonly severalCallers?: true
}

/** Names of gRPC statuses. */
export const edgeOutcomes = [
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'UNIMPLEMENTED',
  'INVALID_ARGUMENT',
  'RESOURCE_EXHAUSTED',
] as const

export const refusalBatchBounds = {
  refusals: 500,
  /** Of the body. */
  bytes: 1024 * 1024,
  /** Characters of each text. */
  text: 320,
} as const
