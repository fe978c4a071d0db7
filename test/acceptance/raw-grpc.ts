import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Identity } from './http.ts'

export interface RawTarget {
  readonly host: string
  readonly port: number
  /** Sent ahead of the TLS handshake, as load balancers do. */
  readonly before?: Uint8Array
  /** Undefined: without TLS. */
  readonly tls?: {
    readonly ca: string
    /** SNI; '' sends none. */
    readonly serverName: string
    readonly identity?: Identity | undefined
    /** Take the server's certificate for good, whosever it is. */
    readonly anyServer?: boolean
  }
}

export interface RawCall {
  readonly authority: string
  /** `/package.Service/Method` */
  readonly path: string
  /** The encoded message. */
  readonly message?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export interface RawReply {
  readonly httpStatus: number
  readonly grpcStatus: number | undefined
  /** `grpc-message`, decoded. */
  readonly text: string
  /** The first message of the answer. */
  readonly message: Buffer
  /** Headers and trailers together. */
  readonly fields: IncomingHttpHeaders
}

/** Neither an answer nor the end of the connection. */
export class NothingHappens extends Error {}

const patienceMs = 10_000

/** One HTTP/2 connection, with nothing between the test and the wire: it sends what no honest client would. */
export class RawGrpc {
  readonly #session: ClientHttp2Session
  readonly #failure = Promise.withResolvers<never>()
  #closed = false

  constructor({ host, port, before, tls }: RawTarget, patience = patienceMs) {
    this.#session =
      tls === undefined
        ? connect(`http://${host}:${port}`)
        : connect(`https://${host}:${port}`, {
            createConnection: () =>
              connectTls({
                socket: this.#open(host, port, before),
                ca: tls.ca,
                servername: tls.serverName,
                ALPNProtocols: ['h2'],
                ...(tls.identity === undefined ? {} : { cert: tls.identity.certificate, key: tls.identity.key }),
                rejectUnauthorized: tls.anyServer !== true,
                ...(tls.serverName === '' ? { checkServerIdentity: () => undefined } : {}),
              }),
          })
    this.#failure.promise.catch(() => undefined)
    this.#session.on('error', (error) => this.#failure.reject(error))
    this.#session.on('close', () => {
      this.#closed = true
      this.#failure.reject(new Error('the connection was closed'))
    })
    this.#session.setTimeout(patience, () => this.#session.destroy(new NothingHappens()))
  }

  #open(host: string, port: number, before: Uint8Array | undefined): Socket {
    const socket = connectTcp({ host, port })
    socket.on('error', (error) => this.#failure.reject(error))
    if (before !== undefined) socket.write(before)
    return socket
  }

  get closed(): boolean {
    return this.#closed
  }

  /** @throws Error when there is no connection: a handshake that failed, say. */
  async call(call: RawCall): Promise<RawReply> {
    return await Promise.race([this.#send(call), this.#failure.promise])
  }

  close(): void {
    this.#session.destroy()
  }

  #send({ authority, path, message = new Uint8Array(), headers }: RawCall): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        ':authority': authority,
        'content-type': 'application/grpc',
        te: 'trailers',
        // Long polls are refused without.
        'grpc-timeout': '30S',
        ...headers,
      })
      let fields: IncomingHttpHeaders = {}
      const chunks: Buffer[] = []
      stream.on('response', (received) => {
        fields = { ...fields, ...received }
      })
      stream.on('trailers', (received) => {
        fields = { ...fields, ...received }
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        // The other side has hung up.
        if (fields[':status'] === undefined) reject(new Error('no answer'))
        else resolve(replyOf(fields, Buffer.concat(chunks)))
      })
      const frame = Buffer.alloc(5 + message.length)
      frame.writeUInt32BE(message.length, 1)
      frame.set(message, 5)
      stream.end(frame)
    })
  }
}

/** One call on a connection of its own. @param patience milliseconds. @throws NothingHappens after that */
export async function rawCall(target: RawTarget, call: RawCall, patience = patienceMs): Promise<RawReply> {
  const connection = new RawGrpc(target, patience)
  try {
    return await connection.call(call)
  } finally {
    connection.close()
  }
}

function replyOf(fields: IncomingHttpHeaders, body: Buffer): RawReply {
  const status = fields['grpc-status']
  return {
    httpStatus: Number(fields[':status']),
    grpcStatus: status === undefined ? undefined : Number(status),
    text: decodeURIComponent(String(fields['grpc-message'] ?? '')),
    message: body.subarray(5),
    fields,
  }
}
