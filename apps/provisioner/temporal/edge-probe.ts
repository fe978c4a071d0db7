import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import proto from '@temporalio/proto'
import { coerceError } from '#libs/base'
import { edgeVersionPath } from '#libs/domain/edges'

export interface EdgeProbeTarget {
  /** The node's address and Envoy's port there. */
  readonly address: string
  readonly port: number
  /** Of a private listener: the PROXY header of a load balancer that names the connection. */
  readonly proxyHeader?: Uint8Array
  /** The namespace's host name: SNI, authority, and what the server's certificate must name. */
  readonly hostname: string
  /** What the edge's server certificates are verified with. */
  readonly caPem: string
  /** A probe token of this namespace. */
  readonly token: string
  /** Milliseconds for connecting and asking together. */
  readonly timeoutMs: number
}

/**
 * Why the edge did not answer as wanted. `unreachable`: nobody accepts, or not in time. `handshake`: TLS fails, as it
 * does while the edge has no chain for the host name. `disconnected`: TLS is good, and then the edge ends the connection
 * without a word, as the private listener does with whom no rule lets in. `unauthenticated`, `denied`: it knows the
 * namespace, and refuses the token. `exhausted`: the namespace's calls are at their limit. `unavailable`: the edge answers,
 * and the cell behind it does not. `unexpected`: anything else.
 */
export type EdgeRefusal =
  | 'unreachable'
  | 'handshake'
  | 'disconnected'
  | 'unauthenticated'
  | 'denied'
  | 'exhausted'
  | 'unavailable'
  | 'unexpected'

export type EdgeVersionAnswer =
  | { readonly kind: 'answered'; readonly generation: number }
  | { readonly kind: 'refused'; readonly reason: EdgeRefusal; readonly detail: string }

export type EdgeCallAnswer =
  | { readonly kind: 'answered' }
  | { readonly kind: 'refused'; readonly reason: EdgeRefusal; readonly detail: string }

interface Answer {
  readonly status: number
  readonly grpcStatus: number | undefined
  readonly grpcMessage: string
  readonly body: string
}

const describePath = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace'

/**
 * Asks the edge which generation of the namespace it serves. Each call opens a connection of its own and closes it:
 * one that is kept would be served by the chain that it was accepted by, also after a change.
 */
export async function probeEdgeVersion(target: EdgeProbeTarget): Promise<EdgeVersionAnswer> {
  try {
    const answer = await ask(target, { ':method': 'GET', ':path': edgeVersionPath })
    const refusal = refusalOf(answer)
    if (refusal !== undefined) return refusal
    const generation = generationOf(answer.body)
    if (generation !== undefined) return { kind: 'answered', generation }
    return {
      kind: 'refused',
      reason: 'unexpected',
      detail: `the edge answers ${JSON.stringify(answer.body.slice(0, 200))}`,
    }
  } catch (thrown) {
    return failure(thrown)
  }
}

/** Calls DescribeNamespace through the edge, as a client would: the whole way to the cell and back works. */
export async function probeEdgeCall(target: EdgeProbeTarget, namespace: string): Promise<EdgeCallAnswer> {
  const { DescribeNamespaceRequest } = proto.temporal.api.workflowservice.v1
  const message = DescribeNamespaceRequest.encode({ namespace }).finish()
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  try {
    const headers = { ':method': 'POST', ':path': describePath, 'content-type': 'application/grpc', te: 'trailers' }
    const answer = await ask(target, headers, frame)
    const refusal = refusalOf(answer)
    if (refusal !== undefined) return refusal
    if (answer.grpcStatus === 0) return { kind: 'answered' }
    return { kind: 'refused', reason: 'unexpected', detail: 'the edge answers without a gRPC status' }
  } catch (thrown) {
    return failure(thrown)
  }
}

async function ask(target: EdgeProbeTarget, headers: Readonly<Record<string, string>>, body?: Buffer): Promise<Answer> {
  const { address, port, hostname, caPem } = target
  const socket = connectTcp({ host: address, port })
  if (target.proxyHeader !== undefined) socket.write(target.proxyHeader)
  const tls = connectTls({ socket, servername: hostname, secureContext: trusting(caPem), ALPNProtocols: ['h2'] })
  let secure = false
  tls.once('secureConnect', () => {
    secure = true
  })
  const session = connect(`https://${hostname}`, { createConnection: () => tls })
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const timer = setTimeout(() => reject(new ProbeTimeout(target.timeoutMs)), target.timeoutMs)
      const finish = (work: () => void): void => {
        clearTimeout(timer)
        work()
      }
      const lose = (error: Error): void => finish(() => reject(secure ? new Disconnected(error.message) : error))
      // For good: what breaks after the answer is nobody's business, and must not end the process.
      socket.on('error', lose)
      tls.on('error', lose)
      session.on('error', lose)
      session.once('close', () => lose(new Error('the edge closed the connection')))
      session.once('connect', () => {
        request(session, { ...headers, authorization: `Bearer ${target.token}` }, body).then(
          (answer) => finish(() => resolve(answer)),
          (error: unknown) => lose(coerceError(error)),
        )
      })
    })
  } finally {
    session.destroy()
    socket.destroy()
  }
}

let trusted: { readonly caPem: string; readonly context: SecureContext } | undefined

/** All edges show certificates of one CA, and to read it costs as much as to connect. */
function trusting(caPem: string): SecureContext {
  if (trusted?.caPem !== caPem) trusted = { caPem, context: createSecureContext({ ca: caPem }) }
  return trusted.context
}

/** After the TLS handshake. */
class Disconnected extends Error {}

class ProbeTimeout extends Error {
  readonly code = 'ETIMEDOUT'
  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
  }
}

function request(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body: Buffer | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream: ClientHttp2Stream = session.request(headers, { endStream: body === undefined })
    const parts: Buffer[] = []
    let status = 0
    let grpcStatus: number | undefined
    let grpcMessage = ''
    const takeGrpc = (fields: Readonly<Record<string, unknown>>): void => {
      if (typeof fields['grpc-status'] === 'string') grpcStatus = Number(fields['grpc-status'])
      if (typeof fields['grpc-message'] === 'string') grpcMessage = fields['grpc-message']
    }
    stream.on('response', (fields) => {
      status = Number(fields[constants.HTTP2_HEADER_STATUS])
      takeGrpc(fields)
    })
    stream.on('trailers', takeGrpc)
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.on('end', () => {
      if (status === 0) reject(new Error('the edge closed the connection'))
      else resolve({ status, grpcStatus, grpcMessage, body: Buffer.concat(parts).toString('utf8') })
    })
    stream.on('error', reject)
    if (body !== undefined) stream.end(body)
  })
}

/** gRPC status and HTTP status of a refusal → why. */
const grpcReasons: Readonly<Record<number, EdgeRefusal>> = {
  7: 'denied',
  8: 'exhausted',
  16: 'unauthenticated',
  14: 'unavailable',
  4: 'unavailable',
}
const httpReasons: Readonly<Record<number, EdgeRefusal>> = {
  401: 'unauthenticated',
  403: 'denied',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
}

function refusalOf(answer: Answer): Extract<EdgeCallAnswer, { kind: 'refused' }> | undefined {
  if (answer.grpcStatus !== undefined && answer.grpcStatus !== 0) {
    const reason = grpcReasons[answer.grpcStatus] ?? 'unexpected'
    return { kind: 'refused', reason, detail: `gRPC status ${answer.grpcStatus}: ${answer.grpcMessage}` }
  }
  if (answer.status === 200) return undefined
  const reason = httpReasons[answer.status] ?? 'unexpected'
  return { kind: 'refused', reason, detail: `HTTP status ${answer.status}: ${answer.body.slice(0, 200)}` }
}

function generationOf(body: string): number | undefined {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value !== 'object' || value === null || !('generation' in value)) return undefined
    return typeof value.generation === 'number' ? value.generation : undefined
  } catch {
    return undefined
  }
}

const unreachableCodes = new Set(['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])

function failure(thrown: unknown): Extract<EdgeCallAnswer, { kind: 'refused' }> {
  const error = coerceError(thrown)
  if (error instanceof Disconnected) return { kind: 'refused', reason: 'disconnected', detail: error.message }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const reason = unreachableCodes.has(code) ? 'unreachable' : 'handshake'
  return { kind: 'refused', reason, detail: error.message }
}
