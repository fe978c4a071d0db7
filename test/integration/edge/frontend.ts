import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'

/** HealthCheckResponse with the status SERVING (grpc/health/v1/health.proto). */
const serving = Buffer.from([0x08, 0x01])

/** Stands in for a cell's frontend: answers every method with the headers that it saw, as one gRPC message. */
export class EchoFrontend {
  readonly #server: Http2Server = createServer()
  readonly #sessions = new Set<{ destroy(): void }>()
  /** Polls that are held open until the frontend closes or the other side gives up. */
  readonly polls = new Set<ServerHttp2Stream>()
  /** Of others than Envoy's health checks. */
  calls = 0

  constructor() {
    this.#server.on('session', (session) => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', () => undefined)
    })
    this.#server.on('stream', (stream, headers) => this.#answer(stream, headers))
  }

  async listen(host: string): Promise<{ readonly host: string; readonly port: number }> {
    await new Promise<void>((resolve) => this.#server.listen(0, host, resolve))
    return { host, port: (this.#server.address() as AddressInfo).port }
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // Envoy's own questions, which come by the clock.
    const isHealthCheck = headers['user-agent'] === 'Envoy/HC'
    if (!isHealthCheck) this.calls += 1
    stream.on('error', () => undefined)
    let received = 0
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    if (headers[':path']?.includes('/Poll')) {
      this.polls.add(stream)
      stream.on('close', () => this.polls.delete(stream))
      return
    }
    stream.on('end', () => {
      const body = isHealthCheck ? serving : Buffer.from(JSON.stringify({ ...headers, received }))
      const frame = Buffer.alloc(5)
      frame.writeUInt32BE(body.length, 1)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      // A client may ask for another answer than a good one.
      const status = String(headers['x-answer'] ?? '0')
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
      stream.end(Buffer.concat([frame, body]))
    })
  }
}
