import { TLSSocket } from 'node:tls'
import { type FastifyRequest, fastify } from 'fastify'
import { type EdgeIntent, type RefusalBatch, refusalBatchBounds } from '#libs/domain/edges'
import type { Logger, Registry } from '#libs/telemetry'
import type { Recorded } from '../refusals/record-refusals.ts'
import { refusalsTaker } from '../refusals/take-refusals.ts'
import { CellEdge } from './cell-edge.ts'
import { discoveryMetrics } from './discovery-metrics.ts'
import { type NodeIdentity, nodeIdentity } from './node-identity.ts'

export interface DiscoveryTls {
  readonly certificatePem: string
  readonly keyPem: string
  /** Root that nodes' certificates lead to, by way of their cell's CA, which they present themselves. */
  readonly nodeCaPem: string
}

export interface DiscoveryDeps {
  /** One consistent reading of the rows; undefined when there is no such cell. */
  readonly readIntent: (cellId: string) => Promise<EdgeIntent | undefined>
  /**
   * Has `listener` called after every change of a cell's intent, with `*` when any cell's may have changed (a connection
   * that carries notifications was lost, say). Returns how to unsubscribe.
   */
  readonly onChange: (listener: (cellId: string) => void) => () => void
  /** Puts what a node of a cell tells into the audit logs of the cell's tenants, once however often it is told. */
  readonly recordRefusals: (node: NodeIdentity, batch: RefusalBatch) => Promise<Recorded>
  readonly logger: Logger
  readonly metrics: Registry
  readonly tls: DiscoveryTls
}

export interface Discovery {
  /** Returns the port. */
  listen(options: { readonly host: string; readonly port: number }): Promise<number>
  /** New connections see the new certificate; open ones go on. */
  renew(tls: DiscoveryTls): void
  /** Answers who waits, and ends. */
  close(): Promise<void>
}

const maxWaitSeconds = 60

/**
 * The server that node agents fetch their edge's configuration from, `GET /v1/cells/{cell}/edge`, and tell what it
 * refused, `POST /v1/cells/{cell}/refusals`: over mTLS with a node's certificate, each for the node's own cell alone.
 */
export function buildDiscovery(deps: DiscoveryDeps): Discovery {
  const cells = new Map<string, CellEdge>()
  const metrics = discoveryMetrics(deps.metrics)
  const closing = new AbortController()
  const unsubscribe = deps.onChange((cellId) => {
    if (cellId !== '*') cells.get(cellId)?.change()
    else for (const cell of cells.values()) cell.change()
  })
  const app = fastify({ https: secure(deps.tls), forceCloseConnections: 'idle', bodyLimit: 1024 })

  // Before a body is read.
  app.addHook<{ Params: { cell?: string } }>('onRequest', async (request, reply) => {
    const { cell: cellId } = request.params
    const node = nodeOf(request)
    if (cellId === undefined || node?.cellId === cellId) return
    deps.logger.warn({ cellId, node }, 'a node asked about a cell that is not its own')
    return await reply.code(403).send({ message: 'the certificate is not of a node of this cell' })
  })

  app.get<{ Params: { cell: string } }>('/v1/cells/:cell/edge', async (request, reply) => {
    const { cell: cellId } = request.params
    const cell = cells.get(cellId) ?? new CellEdge({ ...deps, cellId, metrics })
    cells.set(cellId, cell)
    const known = /^"([^"]+)"$/.exec(request.headers['if-none-match'] ?? '')?.[1]
    const waitMs = preferredWait(request.headers.prefer) * 1000
    if (known !== undefined && waitMs > 0 && (await cell.current())?.version === known) {
      const gone = new AbortController()
      request.raw.once('close', () => gone.abort())
      await cell.awaitChange(known, waitMs, AbortSignal.any([closing.signal, gone.signal]))
    }
    const document = await cell.current()
    if (document === undefined) {
      cells.delete(cellId)
      return await reply.code(404).send({ message: 'there is no such cell' })
    }
    reply.header('etag', `"${document.version}"`).header('cache-control', 'no-store')
    if (document.version === known) return await reply.code(304).send()
    return await reply.type('application/json').send(document.text)
  })

  const takeRefusals = refusalsTaker({ ...deps, metrics })
  const { bytes: bodyLimit } = refusalBatchBounds
  app.post('/v1/cells/:cell/refusals', { bodyLimit }, async (request, reply) => {
    const node = nodeOf(request)
    if (node === undefined) return await reply.code(403).send()
    const { status, message } = await takeRefusals(node, request.body)
    if (status === 204) return await reply.code(status).send()
    return await reply.code(status).send({ message })
  })

  app.setErrorHandler<{ statusCode?: number }>(async ({ statusCode = 500 }, _request, reply) => {
    if (statusCode < 500) return await reply.code(statusCode).send({ message: 'the body is too long, or is not JSON' })
    // Logged where it was thrown; what it says may quote a row.
    await reply.code(503).header('retry-after', '1').send({ message: 'the configuration cannot be built now' })
  })

  return {
    listen: async ({ host, port }) => {
      await app.listen({ host, port })
      const bound = app.server.address()
      return typeof bound === 'object' && bound !== null ? bound.port : port
    },
    renew: (tls) => app.server.setSecureContext(secure(tls)),
    close: async () => {
      unsubscribe()
      closing.abort()
      await app.close()
    },
  }
}

/** Who the connection's certificate says it is; it was verified in the handshake. */
function nodeOf(request: FastifyRequest): NodeIdentity | undefined {
  const { socket } = request.raw
  return socket instanceof TLSSocket ? nodeIdentity(socket.getPeerCertificate()) : undefined
}

function secure({ certificatePem, keyPem, nodeCaPem }: DiscoveryTls) {
  return {
    cert: certificatePem,
    key: keyPem,
    ca: nodeCaPem,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3' as const,
  }
}

/** Seconds of `Prefer: wait=N` (RFC 7240), at most a minute. */
function preferredWait(header: string | string[] | undefined): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/.exec(String(header ?? ''))?.[1]
  return Math.min(Number(seconds ?? 0), maxWaitSeconds)
}
