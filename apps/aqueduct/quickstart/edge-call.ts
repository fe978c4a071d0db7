import { connect, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTls } from 'node:tls'

/** Where a namespace is reached, and by which name it is asked for. */
export interface EdgeEndpoint {
  readonly host: string
  readonly port: number
  /** `<namespace>.<tenant>.<domain>`: server name of the connection, and authority of its calls. */
  readonly serverName: string
}

/** PEM and texts; all of it may be missing. */
export interface EdgeCaller {
  readonly certificate?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** How one call ended. */
export type EdgeOutcome =
  | { readonly kind: 'answered'; readonly code: number; readonly text: string }
  /** There was no connection to call on. */
  | { readonly kind: 'disconnected'; readonly reason: string }

export const describeNamespacePath = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace'
const timeoutMs = 10_000

/** The message of DescribeNamespace for a namespace: one field, number 1, of text shorter than 128 bytes, in gRPC's frame. */
export function describeNamespaceFrame(namespaceId: string): Buffer {
  const name = Buffer.from(namespaceId)
  return Buffer.concat([Buffer.from([0, 0, 0, 0, name.length + 2, 0x0a, name.length]), name])
}

/** One gRPC call on a connection of its own, by nothing but TLS and HTTP/2, so that it shows what the edge itself says. */
export async function callEdge(
  { host, port, serverName }: EdgeEndpoint,
  ca: string,
  { certificate, key, headers }: EdgeCaller,
  frame: Buffer,
): Promise<EdgeOutcome> {
  const socket = connectTls({
    host,
    port,
    ca,
    servername: serverName,
    ALPNProtocols: ['h2'],
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  })
  const session = connect(`https://${serverName}:${port}`, { createConnection: () => socket })
  const outcome = Promise.withResolvers<EdgeOutcome>()
  const lost = (reason: string): void => outcome.resolve({ kind: 'disconnected', reason })
  const timer = setTimeout(() => lost(`no answer within ${timeoutMs / 1000} s`), timeoutMs)
  const stream = session.request({
    ':method': 'POST',
    ':path': describeNamespacePath,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  // A refused certificate is heard of after the handshake, and by the session only when it feels like it.
  for (const source of [socket, session, stream]) source.on('error', (error: Error) => lost(reasonOf(error)))
  socket.on('close', () => lost('the connection was closed'))
  let fields: IncomingHttpHeaders = {}
  const take = (received: IncomingHttpHeaders): void => {
    fields = { ...fields, ...received }
  }
  stream.on('response', take)
  stream.on('trailers', take)
  stream.on('end', () => {
    const status = fields['grpc-status']
    if (status === undefined) return lost('it does not speak gRPC')
    const text = decodeURIComponent(String(fields['grpc-message'] ?? ''))
    outcome.resolve({ kind: 'answered', code: Number(status), text })
  })
  stream.resume()
  stream.end(frame)
  try {
    return await outcome.promise
  } finally {
    clearTimeout(timer)
    session.destroy()
    socket.destroy()
  }
}

/** OpenSSL's words between file names and numbers, such as `tlsv1 alert unknown ca`. */
function reasonOf(error: Error): string {
  const { reason } = error as { readonly reason?: unknown }
  return typeof reason === 'string' ? reason : error.message
}
