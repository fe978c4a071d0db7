import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError, coerceError } from '#libs/base'
import { ScimError } from '#libs/domain/scim'
import type { Logger } from '#libs/telemetry'
import type { AuditRecorder } from '../audit/audit-writer.ts'
import { entryOfRefused } from '../audit/entry-of-claims.ts'
import { toAppError } from '../plugins/errors.ts'
import { type Status, statusOf } from '../transport/status.ts'
import { knownMemberOf } from './caller.ts'
import { scimMediaType } from './media-type.ts'

/** Every failure is an Error message of SCIM (RFC 7644, 3.12), and an entry of the audit log. */
export function scimErrors({ audit, logger }: { readonly audit: AuditRecorder; readonly logger: Logger }) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const error = toAppError(coerceError(thrown))
    const isScim = error instanceof ScimError
    const status = isScim ? statusOfScim(error) : statusOf(error, request.id)
    if (!isScim && (!(error instanceof AppError) || error.code === 'internal')) {
      logger.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'SCIM request failed')
    }
    audit.record({
      ...entryOfRefused(knownMemberOf(request), error),
      interface: 'scim',
      operation: operationOf(request),
      sourceAddress: request.ip,
      target: targetOf(request),
      outcome: status.name,
      reason: status.message,
      requestId: request.id,
    })
    if (status.httpStatus === 401) reply.header('www-authenticate', 'Bearer')
    if (status.retryAfterSeconds !== undefined) reply.header('retry-after', status.retryAfterSeconds)
    return reply
      .code(status.httpStatus)
      .type(scimMediaType)
      .serializer((body: unknown) => JSON.stringify(body))
      .send({
        schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
        status: String(status.httpStatus),
        ...scimTypeOf(error),
        detail: detailOf(status),
      })
  }
}

/** Verb and route, as entries of the audit log name what was asked for. */
export function operationOf(request: FastifyRequest): string {
  return `${request.method} ${request.routeOptions.url ?? '/scim/v2'}`
}

export function targetOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const { id } = (request.params ?? {}) as { readonly id?: string }
  return id === undefined ? {} : { id }
}

function statusOfScim({ scimType, message }: ScimError): Status {
  return statusOf(new AppError(scimType === 'uniqueness' ? 'already_exists' : 'invalid', message), '')
}

function scimTypeOf(error: Error): { readonly scimType?: string } {
  if (error instanceof ScimError) return { scimType: error.scimType }
  if (error instanceof AppError && error.code === 'already_exists') return { scimType: 'uniqueness' }
  if (error instanceof AppError && error.code === 'invalid') return { scimType: 'invalidValue' }
  return {}
}

function detailOf({ message, problems }: Status): string {
  const [first] = problems
  return first === undefined ? message : `${first.field} ${first.message}`
}
