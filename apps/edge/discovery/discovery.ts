import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { type EdgeIntent, type RefusalBatch, refusalBatchBounds } from '#libs/domain/edges'
import type { Logger, Registry } from '#libs/telemetry'
import { Allowance } from '../allowance.ts'
import { Manifests } from '../nodes/manifests.ts'
import type { NodeDesk } from '../nodes/node-desk.ts'
import { addNodeRoutes } from '../nodes/node-routes.ts'
import { Standings } from '../nodes/standings.ts'
import type { Recorded } from '../refusals/record-refusals.ts'
import { refusalsTaker } from '../refusals/take-refusals.ts'
import { runTlsServer, type TlsServer } from '../tls-server.ts'
import type { DocumentText } from '../translate/document.ts'
import { CellEdge } from './cell-edge.ts'
import { discoveryMetrics } from './discovery-metrics.ts'
import { longPoll, whilePolled } from './long-poll.ts'
import type { NodeIdentity } from './node-identity.ts'
import { nodeOf } from './peer.ts'

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
  readonly nodes: NodeDesk
  readonly logger: Logger
  readonly metrics: Registry
  readonly tls: DiscoveryTls
}

export type Discovery = TlsServer<DiscoveryTls>

/** Of one node: an agent asks again at once when something changed, and that may be several times a second for a while. */
const asked = { burst: 200, perSecond: 20 }

type CellRequest = FastifyRequest<{ Params: { cell: string } }>

/**
 * The server that node agents fetch their edge's configuration from, `GET /v1/cells/{cell}/edge` (or `/router`, where no
 * tenants come), and tell what it refused, `POST /v1/cells/{cell}/refusals`: over mTLS with a node's certificate, each for the node's own cell alone. Those
 * on machines of their own also fetch there what they are to be, and say how they are: `addNodeRoutes`.
 */
export function buildDiscovery(deps: DiscoveryDeps): Discovery {
  const cells = new Map<string, CellEdge>()
  const metrics = discoveryMetrics(deps.metrics)
  const closing = new AbortController()
  const allowance = new Allowance(asked)
  const standings = new Standings(deps.nodes.stateOf)
  const manifests = new Manifests(deps.nodes.readManifest)
  const unsubscribeManifests = deps.nodes.onManifest((nodeId) => manifests.changed(nodeId))
  const unsubscribe = deps.onChange((cellId) => {
    standings.changed(cellId)
    if (cellId !== '*') cells.get(cellId)?.change()
    else for (const cell of cells.values()) cell.change()
  })
  const app = fastify({ https: secure(deps.tls), forceCloseConnections: 'idle', bodyLimit: 1024 })

  // Before a body is read.
  app.addHook<{ Params: { cell?: string; node?: string } }>('onRequest', async (request, reply) => {
    const { cell: cellId, node: nodeId } = request.params
    const node = nodeOf(request)
    // Before anything is read or logged: a node that was taken over must not take the server from all others.
    if (node !== undefined && !allowance.take(node.nodeId, 1, performance.now())) {
      metrics.turnedAway.inc({ reason: 'too_many' })
      return await reply.code(429).header('retry-after', '5').send({ message: 'too many calls: come back later' })
    }
    const isOwnCell = cellId === undefined || cellId === node?.cellId
    const isOwnNode = nodeId === undefined || nodeId === node?.nodeId
    if (node === undefined || !isOwnCell || !isOwnNode) {
      metrics.turnedAway.inc({ reason: 'not_its_own' })
      deps.logger.warn({ cellId, nodeId, node }, 'a node asked about a cell or node that is not its own')
      return await reply.code(403).send({ message: 'the certificate is not of a node of this cell' })
    }
    if ((await standings.of(node)) !== 'gone') return
    metrics.turnedAway.inc({ reason: 'gone' })
    deps.logger.warn({ node }, 'a node that was deleted shows its certificate')
    return await reply.code(403).send({ message: 'there is no such node' })
  })

  const answer = async (request: CellRequest, reply: FastifyReply, textOf: (document: DocumentText) => string) => {
    const { cell: cellId } = request.params
    const cell = cells.get(cellId) ?? new CellEdge({ ...deps, cellId, metrics })
    cells.set(cellId, cell)
    const { known, waitMs } = longPoll(request)
    if (known !== undefined && waitMs > 0 && (await cell.current())?.version === known) {
      await cell.awaitChange(known, waitMs, whilePolled(request, closing.signal))
      const node = nodeOf(request)
      // Deleted while it waited.
      if (node !== undefined && (await standings.of(node)) === 'gone') return await reply.code(403).send()
    }
    const document = await cell.current()
    if (document === undefined) {
      cells.delete(cellId)
      return await reply.code(404).send({ message: 'there is no such cell' })
    }
    reply.header('etag', `"${document.version}"`).header('cache-control', 'no-store')
    if (document.version === known) return await reply.code(304).send()
    return await reply.type('application/json').send(textOf(document))
  }
  app.get('/v1/cells/:cell/edge', async (request: CellRequest, reply) => {
    const node = nodeOf(request)
    // What is for edges holds tenants' keys and tokens: a node of another role has no use for it, whoever runs there.
    if (node !== undefined && (await standings.isEdge(node))) return await answer(request, reply, ({ text }) => text)
    metrics.turnedAway.inc({ reason: 'no_edge' })
    deps.logger.warn({ node }, 'a node that is no edge asked for what edges serve')
    return await reply.code(403).send({ message: 'the node is no edge' })
  })
  app.get('/v1/cells/:cell/router', (request: CellRequest, reply) => answer(request, reply, (one) => one.routerText))

  const takeRefusals = refusalsTaker({ ...deps, metrics })
  const { bytes: bodyLimit } = refusalBatchBounds
  app.post('/v1/cells/:cell/refusals', { bodyLimit }, async (request, reply) => {
    const node = nodeOf(request)
    if (node === undefined) return await reply.code(403).send()
    const { status, message } = await takeRefusals(node, request.body)
    if (status === 204) return await reply.code(status).send()
    return await reply.code(status).send({ message })
  })

  addNodeRoutes(app, { ...deps, desk: deps.nodes, standings, manifests, metrics, closing: closing.signal })

  app.setErrorHandler<{ statusCode?: number }>(async ({ statusCode = 500 }, _request, reply) => {
    if (statusCode < 500) return await reply.code(statusCode).send({ message: 'the body is too long, or is not JSON' })
    // Logged where it was thrown; what it says may quote a row.
    await reply.code(503).header('retry-after', '1').send({ message: 'the configuration cannot be built now' })
  })

  return runTlsServer(app, secure, () => {
    unsubscribe()
    unsubscribeManifests()
    // Answers who waits.
    closing.abort()
  })
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
