import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Identity {
  readonly certificatePem: string
  readonly keyPem: string
}

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  /** What the server's certificate is verified with. */
  readonly ca: string
  /** '' sends none. */
  readonly serverName: string
  readonly identity?: Identity | undefined
  /** Sent ahead of the TLS handshake: a PROXY header, as load balancers send it. */
  readonly before?: Buffer | undefined
  /** For names that the server's certificate is not for. */
  readonly anyName?: boolean
}

export interface CallOptions {
  readonly authority: string
  readonly path?: string
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly contentType?: string
  readonly method?: string
  readonly body?: Buffer
}

export interface Reply {
  readonly httpStatus: number
  /** From the trailers, or from the headers where there was nothing else. */
  readonly grpcStatus: number | undefined
  readonly message: string
  readonly body: string
  /** What the frontend saw, when it was a call that the frontend answered. */
  readonly seen: Readonly<Record<string, string | number>> | undefined
}

/** Lets a header that should be there once be sent twice. */
const lenient = { strictSingleValueFields: false }
const systemInfo = '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo'

/** One HTTP/2 connection to an edge, with nothing between the test and the wire: it sends what no honest client would. */
export class EdgeConnection {
  readonly #session: ClientHttp2Session
  readonly #failure = Promise.withResolvers<never>()
  closed = false

  constructor({ host, port, ca, serverName, identity, before, anyName }: ConnectionOptions) {
    const socket = connectTcp({ host, port })
    if (before !== undefined) socket.write(before)
    socket.on('error', (error) => this.#failure.reject(error))
    this.#session = connect('https://edge', {
      ...lenient,
      createConnection: () =>
        connectTls({
          socket,
          ca,
          servername: serverName,
          ALPNProtocols: ['h2'],
          ...(identity === undefined ? {} : { cert: identity.certificatePem, key: identity.keyPem }),
          ...(anyName === true || serverName === '' ? { checkServerIdentity: () => undefined } : {}),
        }),
    })
    this.#failure.promise.catch(() => undefined)
    this.#session.on('error', (error) => this.#failure.reject(error))
    this.#session.on('close', () => {
      this.closed = true
      this.#failure.reject(new Error('the connection was closed'))
    })
  }

  /** @throws Error when there is no connection: a handshake that failed, say. */
  async call(options: CallOptions): Promise<Reply> {
    return await Promise.race([this.#send(options), this.#failure.promise])
  }

  close(): void {
    this.#session.destroy()
  }

  #send({ authority, path, token, headers, contentType, method, body }: CallOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const given = { 'content-type': contentType ?? 'application/grpc', te: 'trailers', ...headers }
      const stream = this.#session.request([
        ...[':method', method ?? 'POST', ':scheme', 'https', ':path', path ?? systemInfo, ':authority', authority],
        ...(token === undefined ? [] : ['authorization', `Bearer ${token}`]),
        // Flat, since an object of headers cannot have two of a name that should be there once.
        ...Object.entries(given).flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value])),
      ])
      let head: IncomingHttpHeaders = {}
      let trailers: IncomingHttpHeaders = {}
      const chunks: Buffer[] = []
      stream.on('response', (received) => {
        head = received
      })
      stream.on('trailers', (received) => {
        trailers = received
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        if (head[':status'] === undefined) reject(new Error('the connection was closed without an answer'))
        else resolve(reply(head, trailers, Buffer.concat(chunks)))
      })
      stream.end(body)
    })
  }
}

function reply(head: IncomingHttpHeaders, trailers: IncomingHttpHeaders, body: Buffer): Reply {
  const all: IncomingHttpHeaders = { ...head, ...trailers }
  const grpcStatus = all['grpc-status']
  const isMessage = body.length > 5 && body.readUInt8(0) === 0
  const text = (isMessage ? body.subarray(5) : body).toString('utf8')
  return {
    httpStatus: Number(head[':status']),
    grpcStatus: grpcStatus === undefined ? undefined : Number(grpcStatus),
    message: decodeURIComponent(String(all['grpc-message'] ?? '')),
    body: text,
    seen: isMessage ? (JSON.parse(text) as Record<string, string | number>) : undefined,
  }
}
