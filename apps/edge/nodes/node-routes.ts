import type { FastifyInstance } from 'fastify'
import { coerceError } from '#libs/base'
import { type NodeReport, reportTextBound } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import { Allowance } from '../allowance.ts'
import type { DiscoveryMetrics } from '../discovery/discovery-metrics.ts'
import { longPoll, whilePolled } from '../discovery/long-poll.ts'
import { nodeOf } from '../discovery/peer.ts'
import type { Manifests } from './manifests.ts'
import type { NodeDesk } from './node-desk.ts'
import { readReport } from './read-report.ts'
import type { Standings } from './standings.ts'

export interface NodeRoutesDeps {
  readonly desk: NodeDesk
  readonly standings: Standings
  readonly manifests: Manifests
  readonly logger: Logger
  readonly metrics: DiscoveryMetrics
  /** Aborts when the server ends. */
  readonly closing: AbortSignal
}

/** A node that changes its mind all the time is heard twice a second, and costs the database no more than that. */
const reports = { burst: 20, perSecond: 2 }
/** Every character may need six bytes in JSON. */
const bodyLimit = 2 * 6 * reportTextBound + 1_024
const away = { message: 'there is no such node' }

/**
 * `GET /v1/nodes/{node}/manifest` and `POST /v1/nodes/{node}/status`, for the node itself alone: that the certificate is the
 * node's own was seen before.
 */
export function addNodeRoutes(app: FastifyInstance, deps: NodeRoutesDeps): void {
  const { desk, standings, manifests, logger, metrics, closing } = deps
  const allowance = new Allowance(reports)

  app.get('/v1/nodes/:node/manifest', async (request, reply) => {
    const node = nodeOf(request)
    if (node === undefined || (await standings.of(node)) !== 'staying') return await reply.code(403).send(away)
    const { known, waitMs } = longPoll(request)
    const manifest =
      waitMs > 0
        ? await manifests.next(node.nodeId, known ?? '', waitMs, whilePolled(request, closing))
        : await manifests.current(node.nodeId)
    // Looked at after the wait: what was the node's then may not be its own now.
    if ((await standings.of(node)) !== 'staying') return await reply.code(403).send(away)
    if (manifest === undefined) return await reply.code(404).send({ message: 'there is no manifest yet' })
    const etag = String(manifest.generation)
    reply.header('etag', `"${etag}"`).header('cache-control', 'no-store')
    if (etag === known) return await reply.code(304).send()
    return await reply.type('application/json').send(manifest.text)
  })

  app.post('/v1/nodes/:node/status', { bodyLimit }, async (request, reply) => {
    const node = nodeOf(request)
    if (node === undefined) return await reply.code(403).send(away)
    if (!allowance.take(node.nodeId, 1, performance.now())) {
      metrics.reports.inc({ result: 'too_many' })
      return await reply.code(429).header('retry-after', '1').send({ message: 'too many reports: send them later' })
    }
    let report: NodeReport
    try {
      report = readReport(request.body)
    } catch (thrown) {
      const { message } = coerceError(thrown)
      metrics.reports.inc({ result: 'malformed' })
      logger.warn({ ...node, reason: message }, 'a node sent a report that is none')
      return await reply.code(400).send({ message })
    }
    const isTaken = await desk.recordReport(node.nodeId, report)
    metrics.reports.inc({ result: isTaken ? 'taken' : 'refused' })
    if (!isTaken) return await reply.code(403).send(away)
    return await reply.code(204).send()
  })
}
