/** Where a gRPC call goes. */
export interface GrpcEndpoint {
  readonly host: string
  readonly port: number
  readonly tls?: {
    /** Server name and authority. */
    readonly serverName: string
    readonly caPem: string
    readonly identity?: { readonly certificatePem: string; readonly keyPem: string }
  }
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string
}

/**
 * One call after the other, to each endpoint in turn: whatever disturbs the machine disturbs all of them alike. By
 * grpc-js, as clients do it, and one connection each.
 */
export interface TurnsJob {
  readonly kind: 'turns'
  readonly endpoints: readonly GrpcEndpoint[]
  readonly path: string
  readonly message: Uint8Array
  readonly warmupMs: number
  readonly measureMs: number
}

/** Milliseconds, in the order of the endpoints. */
export interface TurnsResult {
  readonly p50: readonly number[]
}

/** Keeps calls in flight. */
export interface GrpcJob {
  readonly kind: 'grpc'
  /** `/package.Service/Method` */
  readonly path: string
  /** Shared out among the connections, as the calls are among these. */
  readonly targets: readonly {
    readonly endpoint: GrpcEndpoint
    /** The encoded request. */
    readonly message: Uint8Array
  }[]
  readonly connections: number
  readonly inFlight: number
  readonly warmupMs: number
  readonly measureMs: number
}

/** A GET over HTTP/1.1, by autocannon: one connection for each call in flight. */
export interface RestJob {
  readonly kind: 'rest'
  readonly url: string
  readonly token?: string
  readonly inFlight: number
  readonly warmupMs: number
  readonly measureMs: number
}

/** So many calls a second, evenly, on one connection. */
export interface PacedJob {
  readonly kind: 'paced'
  readonly endpoint: GrpcEndpoint
  readonly path: string
  readonly message: Uint8Array
  readonly callsPerSecond: number
  readonly warmupMs: number
  readonly measureMs: number
}

export interface PacedResult extends LoadResult {
  /** Milliseconds of each call. */
  readonly times: readonly number[]
}

export type LoadJob = GrpcJob | RestJob | PacedJob | TurnsJob

export interface LoadResult {
  readonly calls: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly failures: number
  /** What the first failure said. */
  readonly failure?: string
  /** Cores that the load generator itself took: at 1 it is the brake. */
  readonly clientCores: number
}
