import type { Server } from 'node:https'
import type { SecureContextOptions } from 'node:tls'

export interface TlsServer<Tls> {
  /** Returns the port. */
  listen(options: { readonly host: string; readonly port: number }): Promise<number>
  /** New connections see the new certificate; open ones go on. */
  renew(tls: Tls): void
  close(): Promise<void>
}

/** What a Fastify application is to `runTlsServer`. */
interface Application {
  readonly server: Server
  listen(options: { readonly host: string; readonly port: number }): Promise<string>
  close(): PromiseLike<unknown>
}

/** The application as the process runs it: on a port, with a certificate that is renewed while it serves. */
export function runTlsServer<Tls>(
  app: Application,
  secure: (tls: Tls) => SecureContextOptions,
  beforeClose: () => void = () => undefined,
): TlsServer<Tls> {
  return {
    listen: async ({ host, port }) => {
      await app.listen({ host, port })
      const bound = app.server.address()
      return typeof bound === 'object' && bound !== null ? bound.port : port
    },
    renew: (tls) => app.server.setSecureContext(secure(tls)),
    close: async () => {
      beforeClose()
      await app.close()
    },
  }
}
