import { X509Certificate } from 'node:crypto'
import {
  experimental,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { AppError, coerceError, invalidField } from '#libs/base'
import { type Rpc, rpcs } from '#libs/cloud-api'
import type { Admission } from './admission.ts'
import { type Credentials, dryRunHeader } from './call-context.ts'
import { acceptRequestId, type Dispatch } from './dispatcher.ts'
import { GrpcHealth } from './grpc-health.ts'
import type { Status } from './status.ts'
import { statusDetails } from './status-details.ts'

/** Bytes of a request, as over REST. The largest honest one is a bundle of CA certificates (32 KB). */
const maxMessageBytes = 1024 * 1024
/** Calls at once on one connection: each may hold a message in memory. Clients wait for a place, or open another. */
const maxConcurrentStreams = 100
/** Milliseconds without a call, however many pings, after which a connection is closed in order: clients open another. */
const maxConnectionIdleMs = 30 * 60_000

export interface GrpcListener {
  readonly host: string
  /** 0 for any. */
  readonly port: number
  /** Without it the listener is plaintext (h2c). */
  readonly tls?: GrpcIdentity
}

/** What a TLS listener shows, PEM. */
export interface GrpcIdentity {
  readonly key: string
  readonly certificateChain: string
  /** Tells of a renewed pair; connections that are open keep the one they began with. */
  readonly onChange?: (listener: (renewed: GrpcIdentity) => void) => void
}

export interface GrpcServer {
  /** The ports in use, in the order of the listeners. */
  readonly ports: readonly number[]
  /** Lets running calls end for so many milliseconds, then ends them. */
  stop(graceMs: number): Promise<void>
}

export interface GrpcOptions {
  readonly dispatch: Dispatch
  readonly listeners: readonly GrpcListener[]
}

/**
 * Serves every rpc of the contract over gRPC, and grpc.health.v1. Clients may ping as often as they like: grpc-js
 * polices nobody, and npm @temporalio/cloud pings every 30 s without calls.
 * @throws Error when an address cannot be listened on.
 */
export async function startGrpc({ dispatch, listeners }: GrpcOptions): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': maxConcurrentStreams,
    'grpc.max_connection_idle_ms': maxConnectionIdleMs,
    interceptors: [admission(dispatch)],
  })
  const health = new GrpcHealth(serviceNames)
  health.addTo(server)
  server.addService(definition, implementation(dispatch))
  const ports: number[] = []
  try {
    for (const listener of listeners) ports.push(await listen(server, listener))
  } catch (thrown) {
    server.forceShutdown()
    throw thrown
  }
  return {
    ports,
    stop: (graceMs) =>
      new Promise((resolve) => {
        health.stop()
        const timer = setTimeout(() => server.forceShutdown(), graceMs)
        server.tryShutdown(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
  }
}

// Requests stay bytes here: whoever is not known gets no answer from parsing, and a malformed one gets ours.
const bytes = (value: Buffer) => value
const definition: ServiceDefinition = Object.fromEntries(
  rpcs.map((rpc) => [
    rpc.name,
    {
      path: rpc.grpcPath,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    },
  ]),
)

const serviceNames = [...new Set(rpcs.map((rpc) => rpc.grpcPath.split('/')[1] ?? ''))]

function implementation(dispatch: Dispatch): UntypedServiceImplementation {
  return Object.fromEntries(
    rpcs.map((rpc) => [
      rpc.name,
      (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
        void answer(dispatch, rpc, call, callback),
    ]),
  )
}

/** What is known of a call before its message. */
type CallHead = Pick<ServerInterceptingCallInterface, 'getAuthContext' | 'getDeadline' | 'getPeer'>

const rpcByPath = new Map(rpcs.map((rpc) => [rpc.grpcPath, rpc]))

/** What was found out before the message came; the handler sees the same metadata object. */
const admissions = new WeakMap<Metadata, Admission>()

/** Turns strangers, and who is too fast, away when their headers are there: a message is read only once somebody asks for it. */
function admission(dispatch: Dispatch): ServerInterceptor {
  return ({ path }, call) => {
    const rpc = rpcByPath.get(path)
    if (rpc === undefined) return new ServerInterceptingCall(call)
    const refuse = async (metadata: Metadata, admission: Admission) => {
      const incoming = headersOf(call, metadata, rpc)
      const outcome = await dispatch({ ...incoming, admission, readRequest: nothing, writeResponse: nothing })
      if (outcome.ok) return
      call.sendMetadata(initialMetadata(incoming.requestId, outcome.headers))
      call.sendStatus(statusToSend(outcome.status))
    }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const credentials = credentialsOf(call, metadata)
            void dispatch.admit(credentials).then((admission) => {
              admissions.set(metadata, admission)
              return admission.refusal === undefined ? proceed(metadata) : refuse(metadata, admission)
            })
          },
        }),
    })
  }
}

/** Unreachable: who is not admitted is refused before the message is asked for. */
function nothing(): never {
  throw new AppError('unauthenticated', 'Jwt verification fails')
}

async function answer(
  dispatch: Dispatch,
  rpc: Rpc,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  const incoming = headersOf(call, call.metadata, rpc)
  const admission = admissions.get(call.metadata)
  const outcome = await dispatch({
    ...incoming,
    ...(admission === undefined ? {} : { admission }),
    readRequest: () => decode(rpc, call.request),
    writeResponse: (response) => Buffer.from(rpc.responseType.encode(response).finish()),
  })
  call.sendMetadata(initialMetadata(incoming.requestId, outcome.headers))
  return outcome.ok ? callback(null, outcome.response) : callback(statusToSend(outcome.status))
}

/** What the headers of a call say, whatever its message will be. */
function headersOf(call: CallHead, metadata: Metadata, rpc: Rpc) {
  const apiVersion = header(metadata, 'temporal-cloud-api-version')
  const dryRun = header(metadata, dryRunHeader)
  const deadline = deadlineOf(call)
  return {
    rpc,
    transport: 'grpc' as const,
    credentials: credentialsOf(call, metadata),
    requestId: acceptRequestId(header(metadata, 'x-request-id')),
    ...(deadline === undefined ? {} : { deadline }),
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(dryRun === undefined ? {} : { dryRun }),
  }
}

function initialMetadata(requestId: string, headers: Admission['headers'] = {}): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  metadata.set('x-request-id', requestId)
  return metadata
}

function statusToSend(status: Status): { code: number; details: string; metadata: Metadata } {
  return { code: status.grpcCode, details: status.message, metadata: trailer(status) }
}

function decode(rpc: Rpc, message: Buffer): object {
  try {
    return rpc.requestType.decode(message)
  } catch (thrown) {
    throw invalidField('request', `is not a ${rpc.requestType.name}: ${coerceError(thrown).message}`)
  }
}

function trailer(status: Status): Metadata {
  const metadata = new Metadata()
  const details = statusDetails(status)
  if (details !== undefined) metadata.set('grpc-status-details-bin', details)
  if (status.retryAfterSeconds !== undefined) metadata.set('retry-after', String(status.retryAfterSeconds))
  return metadata
}

function header(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name).map(String)
  return values.length === 0 ? undefined : values.join(', ')
}

function deadlineOf(call: CallHead): Date | undefined {
  const deadline = call.getDeadline()
  if (deadline instanceof Date) return deadline
  return Number.isFinite(deadline) ? new Date(deadline) : undefined
}

function credentialsOf(call: CallHead, metadata: Metadata): Credentials {
  const raw = call.getAuthContext().sslPeerCertificate?.raw
  return {
    authorization: header(metadata, 'authorization'),
    peerCertificate: raw === undefined ? undefined : new X509Certificate(raw),
    // `127.0.0.1:5050`, `[::1]:5050`
    sourceAddress: call
      .getPeer()
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1'),
  }
}

function listen(server: Server, { host, port, tls }: GrpcListener): Promise<number> {
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : renewable(tls)
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound)
      else reject(new Error(`gRPC cannot listen on ${address}: ${error.message}`, { cause: error }))
    })
  })
}

/** Credentials whose certificate can be replaced while they serve. */
function renewable(tls: GrpcIdentity): ServerCredentials {
  const toUpdate = ({ certificateChain, key }: GrpcIdentity) => ({
    certificate: Buffer.from(certificateChain),
    privateKey: Buffer.from(key),
  })
  const provider: experimental.CertificateProvider = {
    addIdentityCertificateListener: (listener) => {
      tls.onChange?.((renewed) => listener(toUpdate(renewed)))
      // Not at once: grpc-js notes who wants to know only after it has asked. No connection is taken before that.
      queueMicrotask(() => listener(toUpdate(tls)))
    },
    removeIdentityCertificateListener: () => undefined,
    addCaCertificateListener: () => undefined,
    removeCaCertificateListener: () => undefined,
  }
  // grpc-js 1.14 takes the server's identity first, whatever its declaration calls the parameter (grpc.test.ts would see).
  return experimental.createCertificateProviderServerCredentials(provider, null, false)
}
