import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { coerceError } from '#libs/base'

export interface HealthServerOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly registry: Registry
  /** Rejects, with a reason that a person understands, while the process cannot do its work. */
  readonly ready: () => Promise<void>
}

/** `/healthz` (the process lives), `/readyz` (it can do its work) and `/metrics`, for processes without an API of their own. */
export async function startHealthServer(
  options: HealthServerOptions,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type }).end(body)
    }
    if (request.method !== 'GET') return answer(405, 'GET only\n')
    switch (request.url) {
      case '/healthz':
        return answer(200, 'ok\n')
      case '/readyz':
        return void options.ready().then(
          () => answer(200, 'ready\n'),
          (thrown: unknown) => answer(503, `${coerceError(thrown).message}\n`),
        )
      case '/metrics':
        return void options.registry.metrics().then(
          (text) => answer(200, text, options.registry.contentType),
          () => answer(500, 'metrics failed\n'),
        )
      default:
        return answer(404, 'try /healthz, /readyz or /metrics\n')
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
