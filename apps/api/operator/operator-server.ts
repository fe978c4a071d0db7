import type { Server } from 'node:https'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Database } from '#libs/store'
import type { AuditRecorder } from '../audit/audit-writer.ts'
import { nobody } from '../audit/entry-of-claims.ts'
import { openapi } from '../openapi/openapi.ts'
import { pageTokens } from '../paging/page-tokens.ts'
import { errors } from '../plugins/errors.ts'
import { health } from '../plugins/health.ts'
import { parseJsonBody } from '../plugins/json-body.ts'
import { refuseDryRuns } from '../plugins/no-dry-run.ts'
import { restServerOptions } from '../transport/rest-server-options.ts'
import { auditEntryRoutes } from './audit-entries.ts'
import { auditLog } from './audit-log.ts'
import { authenticateOperators } from './authenticate-operators.ts'
import { cellChangeRoutes } from './cell-changes.ts'
import { certificateRoutes } from './certificates.ts'
import { costRoutes } from './costs.ts'
import { fleetRoutes } from './fleet.ts'
import { moveRoutes } from './moves.ts'
import { operationRoutes } from './operations.ts'
import { operatorCertificateRoutes } from './operator-certificates.ts'
import type { OperatorContext } from './operator-context.ts'
import { operatorDocument } from './operator-document.ts'
import { operatorRoutes } from './operators.ts'
import { orphanRoutes } from './orphans.ts'
import { regionRoutes } from './regions.ts'
import { rolloutRoutes } from './rollouts.ts'
import { tenantLimitRoutes } from './tenant-limits.ts'
import { tenantRoutes } from './tenants.ts'
import { userInvitationRoutes } from './user-invitations.ts'
import { waitlistRoutes } from './waitlist.ts'

export interface OperatorDeps extends Omit<OperatorContext, 'pages'> {
  /** Of the product, for the OpenAPI document. */
  readonly version: string
  /** Where refusals are written down, as the role `aqueduct_operator`. */
  readonly audit: AuditRecorder
  readonly tls: {
    /** What the listener shows: leaf first, then intermediates. */
    readonly certificatePem: string
    readonly keyPem: string
    /** The one CA whose client certificates get in. */
    readonly operatorCaPem: string
  }
}

/** Milliseconds for a TLS handshake. */
const handshakeTimeout = 10_000

/**
 * The operator listener: HTTPS that only certificates of the operator CA get into, and of those only such as are known
 * and not revoked. No side effects until `listen`. A renewed server certificate goes to `app.server.setSecureContext`.
 */
export async function buildOperator(deps: OperatorDeps): Promise<FastifyInstance<Server>> {
  const { database, logger, tls, audit } = deps
  const app = fastify({
    ...(restServerOptions as FastifyServerOptions<Server>),
    https: {
      cert: tls.certificatePem,
      key: tls.keyPem,
      ca: tls.operatorCaPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout,
    },
  })
  app.server.on('tlsClientError', (error, socket) => {
    const { code } = error as NodeJS.ErrnoException
    const reason = code ?? error.message
    logger.info({ source: socket.remoteAddress, reason }, 'operator handshake refused')
    audit.record({
      ...nobody,
      interface: 'operator',
      operation: 'TLS handshake',
      sourceAddress: socket.remoteAddress ?? '',
      target: {},
      outcome: 'UNAUTHENTICATED',
      reason,
      requestId: '',
    })
  })
  await app.register(errors, { logger })
  auditLog(app, logger, audit)
  authenticateOperators(app, database)
  const context: OperatorContext = { ...deps, pages: pageTokens(deps.sealer) }

  await app.register(openapi, { version: deps.version })
  await app.register(async (scope) => {
    parseJsonBody(scope)
    refuseDryRuns(scope)
    await scope.register(health, { ready: () => answers(database) })
    await scope.register(
      async (routes) => {
        waitlistRoutes(routes, context)
        tenantRoutes(routes, context)
        tenantLimitRoutes(routes, context)
        userInvitationRoutes(routes, context)
        certificateRoutes(routes, context)
        operatorRoutes(routes, context)
        operatorCertificateRoutes(routes, context)
        fleetRoutes(routes, context)
        costRoutes(routes, context)
        orphanRoutes(routes, context)
        cellChangeRoutes(routes, context)
        rolloutRoutes(routes, context)
        moveRoutes(routes, context)
        regionRoutes(routes, context)
        operationRoutes(routes, context)
        auditEntryRoutes(routes, context)
        routes.get('/openapi.json', { schema: { hide: true } }, async () => operatorDocument(app.swagger()))
      },
      { prefix: '/operator/v1' },
    )
  })
  return app
}

async function answers(database: Database): Promise<void> {
  try {
    await database.pool.query('select 1')
  } catch (cause) {
    throw new Error('the database does not answer', { cause })
  }
}
