import { createHash, createPublicKey, timingSafeEqual } from 'node:crypto'
import { fastify } from 'fastify'
import { readCertificateRequest } from '#libs/pki'
import type { JoinAttempt, JoinOutcome, JoinRefusal } from '#libs/store/node-mail'
import type { Logger, Registry } from '#libs/telemetry'
import { Allowance } from '../allowance.ts'
import { runTlsServer, type TlsServer } from '../tls-server.ts'
import { guardConnections } from './connection-guard.ts'
import { joinMetrics } from './join-metrics.ts'
import { joinBodyLimit, nodeIdPattern, readJoinRequest } from './read-join-request.ts'
import { sourceAddress } from './source-address.ts'

export interface JoinServerTls {
  readonly certificatePem: string
  readonly keyPem: string
}

export interface JoinServerDeps {
  /** The token of a node, whether there is such a node or not. */
  readonly tokenOf: (nodeId: string) => string
  /** Makes the machine the node, or says why not. */
  readonly join: (attempt: JoinAttempt) => Promise<JoinOutcome>
  readonly logger: Logger
  readonly metrics: Registry
  readonly tls: JoinServerTls
}

type Refusal = JoinRefusal | 'malformed' | 'wrong_token' | 'csr'

/** Of one address: a node asks once a second while it waits for its certificate. */
const asked = { burst: 10, perSecond: 2 }
const slowMs = 10_000
/** The same whatever was wrong: who probes learns nothing from it. The log says more. */
const refused = { message: 'refused: the log of apps/edge says why' }

/**
 * The one door without client certificates: `POST /v1/nodes/{node}/join`, for a machine that has nothing but the token from
 * its user data. It is let in when the token is the node's, and it is the very machine that the driver saw, at the address
 * where the driver saw it; then its key is the node's for ever. Answers 202 until the provisioner has signed.
 */
export function buildJoinServer(deps: JoinServerDeps): TlsServer<JoinServerTls> {
  const { logger } = deps
  const metrics = joinMetrics(deps.metrics)
  const allowance = new Allowance(asked)
  const app = fastify({
    https: { ...secure(deps.tls), handshakeTimeout: slowMs },
    bodyLimit: joinBodyLimit,
    requestTimeout: slowMs,
    keepAliveTimeout: 1_000,
    forceCloseConnections: true,
    // The only word on where somebody comes from is the connection's.
    trustProxy: false,
  })
  guardConnections(app.server, () => metrics.inc({ result: 'too_many' }))

  // Before a body is read.
  app.addHook('onRequest', async (request, reply) => {
    const address = sourceAddress(request.raw.socket)
    if (address !== undefined && allowance.take(address, 1, performance.now())) return
    metrics.inc({ result: 'too_many' })
    return await reply.code(429).header('retry-after', '5').send({ message: 'too many attempts: come back later' })
  })

  app.post<{ Params: { node: string } }>('/v1/nodes/:node/join', async (request, reply) => {
    const address = sourceAddress(request.raw.socket) ?? ''
    const { node: nodeId } = request.params
    const refuse = async (reason: Refusal) => {
      metrics.inc({ result: reason })
      const named = nodeIdPattern.test(nodeId) ? { node: nodeId } : {}
      logger.warn({ ...named, sourceAddress: address, reason }, 'a machine may not join')
      return await reply.code(403).send(refused)
    }
    const asks = readJoinRequest(request.body)
    if (asks === undefined || !nodeIdPattern.test(nodeId)) return await refuse('malformed')
    // Before anything is looked up: without the token nobody costs the database anything.
    if (!isSame(asks.token, deps.tokenOf(nodeId))) return await refuse('wrong_token')
    const publicKey = await keyOf(asks.csr)
    if (publicKey === undefined) return await refuse('csr')
    const { machineId, csr: csrPem } = asks
    const outcome = await deps.join({ nodeId, machineId, sourceAddress: address, publicKey, csrPem })
    if (outcome.refused !== undefined) return await refuse(outcome.refused)
    const { chainPem, discoveryUrl } = outcome
    metrics.inc({ result: chainPem === undefined ? 'waiting' : 'signed' })
    reply.header('cache-control', 'no-store')
    if (chainPem === undefined) {
      return await reply.code(202).header('retry-after', '1').send({ message: 'the certificate is being signed' })
    }
    logger.info({ node: nodeId, machineId, sourceAddress: address }, 'a machine joined')
    return await reply.send({ certificateChainPem: chainPem, discoveryUrl })
  })

  app.setNotFoundHandler(async (_request, reply) => await reply.code(403).send(refused))
  app.setErrorHandler<{ statusCode?: number }>(async (error, _request, reply) => {
    const { statusCode = 500 } = error
    if (statusCode < 500) {
      metrics.inc({ result: 'malformed' })
      return await reply.code(403).send(refused)
    }
    logger.error({ err: error }, 'a join cannot be looked at now')
    await reply.code(503).header('retry-after', '5').send({ message: 'come back later' })
  })

  return runTlsServer(app, secure)
}

function secure({ certificatePem, keyPem }: JoinServerTls) {
  return { cert: certificatePem, key: keyPem, minVersion: 'TLSv1.3' as const }
}

/** Takes the same time wherever they differ. */
function isSame(shown: string, expected: string): boolean {
  const [one, other] = [shown, expected].map((text) => createHash('sha256').update(text).digest())
  return one !== undefined && other !== undefined && timingSafeEqual(one, other)
}

/** SHA-256 of the request's key (SPKI), in hex; undefined when it is no request that we would sign. */
async function keyOf(csrPem: string): Promise<string | undefined> {
  try {
    const { publicKeyPem } = await readCertificateRequest(csrPem)
    const spki = createPublicKey(publicKeyPem).export({ format: 'der', type: 'spki' })
    return createHash('sha256').update(spki).digest('hex')
  } catch {
    return undefined
  }
}
