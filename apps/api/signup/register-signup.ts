import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError, type Clock } from '#libs/base'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { appendCall, auditCalls, type CallFacts } from '../audit/audit-calls.ts'
import type { AuditRecorder } from '../audit/audit-writer.ts'
import type { ApiKeyTokens } from '../auth/api-key-tokens.ts'
import { parseJsonBody } from '../plugins/json-body.ts'
import { refuseDryRuns } from '../plugins/no-dry-run.ts'
import { type Acceptance, acceptInvitationOf } from './accept-invitation.ts'
import { invitationPage, invitationPageHeaders } from './invitation-page.ts'
import { joinWaitlistAs } from './join-waitlist.ts'
import { acceptanceSchema, applicationSchema } from './schemas.ts'

export interface SignupDeps {
  /** Connected as `aqueduct_signup`. */
  readonly database: Database
  /** Signs the first key of a new tenant. On another database pool than `database`, one of whose connections is held. */
  readonly apiKeyTokens: ApiKeyTokens
  readonly logger: Logger
  readonly clock: Clock
  /** Calls a minute from one address (one /64 of IPv6), over both routes; counted by each process for itself. */
  readonly requestsPerMinute: number
  /** Where refusals are written down. */
  readonly audit: AuditRecorder
}

/** Bytes: a use case has at most 2,000 characters. */
const bodyLimit = 16 * 1024

/**
 * The way in for people who are nobody yet: `POST /v1/waitlist`, `POST /v1/invitations/accept`, and the page that an
 * invitation's link opens. Register it on a server made with `restServerOptions`, with the `errors` plugin.
 */
export async function registerSignup(app: FastifyInstance, deps: SignupDeps): Promise<void> {
  const { logger, requestsPerMinute, audit } = deps
  await app.register(async (scope) => {
    parseJsonBody(scope)
    refuseDryRuns(scope)
    auditCalls(scope, { recorder: audit, interface: 'signup' })
    await scope.register(rateLimit, {
      max: requestsPerMinute,
      timeWindow: 60_000,
      errorResponseBuilder: (_request, { ttl }) => {
        const retryAfterSeconds = Math.ceil(ttl / 1000)
        const message = `too many requests from your address: try again in ${retryAfterSeconds} s`
        return new AppError('exhausted', message, { context: { retryAfterSeconds } })
      },
    })

    scope.post<{ Body: Parameters<typeof joinWaitlistAs>[1] }>(
      '/v1/waitlist',
      { bodyLimit, schema: applicationSchema },
      async (request) => {
        const answer = await joinWaitlistAs(deps, request.body, (trx, waitlistEntryId) =>
          appendCall(trx, request as FastifyRequest, { target: { waitlistEntryId } }),
        )
        logger.info({ requestId: request.id, source: request.ip, entryId: answer.id }, 'waitlist application')
        return answer
      },
    )

    scope.post<{ Body: { readonly token: string } }>(
      '/v1/invitations/accept',
      { bodyLimit, schema: acceptanceSchema },
      async (request, reply) => {
        const log = { requestId: request.id, source: request.ip }
        try {
          const { invitationId, answer } = await acceptInvitationOf(deps, request.body.token, (trx, id, made) =>
            appendCall(trx, request as FastifyRequest, accepted(id, made)),
          )
          const { tenant, user, apiKey } = answer
          logger.info(
            { ...log, invitationId, tenantId: tenant.id, userId: user.id, keyId: apiKey.id },
            'invitation accepted',
          )
          reply.header('cache-control', 'no-store')
          return answer
        } catch (thrown) {
          if (thrown instanceof AppError) logger.info({ ...log, outcome: thrown.code }, 'invitation refused')
          throw thrown
        }
      },
    )

    scope.get('/invitations', { schema: { hide: true }, config: { rateLimit: false } }, async (_request, reply) =>
      reply.headers(invitationPageHeaders).send(invitationPage),
    )
  })
}

/** Whoever accepts is a user from then on: it is the tenant's own entry. */
function accepted(invitationId: string, { tenant, user, apiKey }: Acceptance): CallFacts {
  return {
    tenantId: tenant.id,
    principal: { type: 'user', id: user.id },
    credential: { kind: 'invitation', id: invitationId },
    target: { userId: user.id, keyId: apiKey.id },
  }
}
