import type { Server } from 'node:https'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Claims } from '#libs/authz'
import type { Logger, Registry } from '#libs/telemetry'
import type { AuditRecorder } from './audit/audit-writer.ts'
import { refusalRecorder } from './audit/record-refusal.ts'
import { type Authenticate, createAuthenticator } from './auth/authenticator.ts'
import { RequestLimiter } from './limits/request-limiter.ts'
import { StrangerLimiter } from './limits/stranger-limiter.ts'
import { openapi } from './openapi/openapi.ts'
import { errors } from './plugins/errors.ts'
import { health } from './plugins/health.ts'
import { type CloudHandlersDeps, createCloudHandlers } from './resources/cloud-handlers.ts'
import { registerScim } from './scim/register-scim.ts'
import { registerSignup, type SignupDeps } from './signup/register-signup.ts'
import type { ServerIdentity } from './tls/server-identity.ts'
import { createDispatch, type Dispatch } from './transport/dispatcher.ts'
import { allowedMethods, rest } from './transport/rest.ts'
import { restServerOptions } from './transport/rest-server-options.ts'

export interface ApiDeps extends CloudHandlersDeps {
  readonly logger: Logger
  readonly registry: Registry
  /** Of the product, for the OpenAPI document. */
  readonly version: string
  /** Rejects, with a reason, while calls cannot be answered. */
  readonly ready: () => Promise<void>
  readonly signup: Pick<SignupDeps, 'database' | 'apiKeyTokens' | 'requestsPerMinute'>
  readonly identity: ServerIdentity
  /** Where refusals are written down. */
  readonly audit: AuditRecorder
  /** Calls without good credentials that one source address may make a second, at each process. */
  readonly badCredentialsPerSecond: number
}

/** The public listeners, which share every part. Nothing listens yet. */
export interface Api {
  readonly http: FastifyInstance
  readonly https: FastifyInstance<Server>
  /** For the gRPC listeners. */
  readonly dispatch: Dispatch
}

export async function buildApi(deps: ApiDeps): Promise<Api> {
  const { logger, registry, identity, ready } = deps
  const requests = new RequestLimiter(deps)
  const strangers = new StrangerLimiter(deps.badCredentialsPerSecond)
  const authenticate = createAuthenticator({ ...deps, requests, strangers })
  const handlers = createCloudHandlers(deps)
  const dispatch = createDispatch<Claims>({
    handlers,
    authenticate,
    admit: authenticate.admit,
    principalOf: (claims) => ('principalId' in claims ? claims.principalId : claims.kind),
    logger,
    registry,
    onRefused: refusalRecorder(deps.audit),
  })
  const http = fastify(restServerOptions)
  const https = fastify({
    ...(restServerOptions as FastifyServerOptions<Server>),
    https: { cert: identity.certificateChain, key: identity.key, minVersion: 'TLSv1.2', handshakeTimeout: 10_000 },
  })
  identity.onChange(({ certificateChain, key }) => https.server.setSecureContext({ cert: certificateChain, key }))
  const served = new Set(Object.keys(handlers))
  const parts = { dispatch, authenticate, served }
  await furnish(http, deps, parts)
  await furnish(https as unknown as FastifyInstance, deps, parts)
  // The plain listener stands on loopback: who gets there may see the metrics.
  await http.register(health, { ready, registry })
  await https.register(health, { ready })
  return { http, https, dispatch }
}

interface Parts {
  readonly dispatch: Dispatch
  readonly authenticate: Authenticate
  /** Names of the rpcs that have a handler. */
  readonly served: ReadonlySet<string>
}

async function furnish(app: FastifyInstance, deps: ApiDeps, { dispatch, authenticate, served }: Parts): Promise<void> {
  const { logger, clock, version, signup, audit } = deps
  await app.register(errors, { logger, allowedMethods })
  await app.register(openapi, { version, served })
  await app.register(rest, { dispatch })
  await registerScim(app, { ...deps, authenticate })
  await registerSignup(app, { ...signup, logger, clock, audit })
}
