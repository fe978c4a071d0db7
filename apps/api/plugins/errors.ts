import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import fp from 'fastify-plugin'
import { AppError, coerceError, type ErrorCode, invalid, invalidField } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import { type Status, statusJson, statusOf } from '../transport/status.ts'

export interface ErrorsOptions {
  readonly logger: Logger
  /** The methods that a path is served with, for a 405 instead of a 404. */
  readonly allowedMethods?: (path: string) => readonly string[]
}

/**
 * Every way in which a request can fail outside of a handler's own answer ends as `google.rpc.Status`, and every answer
 * carries its request id. Use it with `restServerOptions`, which covers what Fastify answers before any plugin.
 */
export const errors = fp<ErrorsOptions>(
  async (app, { logger, allowedMethods }) => {
    app.addHook('onRequest', async (request, reply) => {
      reply.header('x-request-id', request.id)
      // Answers repeat what callers wrote: no browser may take one for something else than it says it is.
      reply.header('x-content-type-options', 'nosniff')
    })
    // Before Fastify reads a body, or misses one: nothing that is sent to nowhere is worth reading. After whatever asks
    // who calls: a listener that lets in some answers nobody else.
    app.addHook('preParsing', (request, reply, payload, done) => {
      if (request.is404) sendNoRoute(request, reply, allowedMethods)
      else done(null, payload)
    })
    app.setErrorHandler(async (thrown, request, reply) => {
      const error = toAppError(coerceError(thrown))
      if (!(error instanceof AppError) || error.code === 'internal') {
        const context = error instanceof AppError ? error.context : undefined
        const { method, routeOptions, id } = request
        logger.error({ err: error, context, requestId: id, method, route: routeOptions.url }, 'request failed')
      }
      return sendStatus(reply, statusOf(error, request.id))
    })
    app.setNotFoundHandler((request, reply) => sendNoRoute(request, reply, allowedMethods))
  },
  { name: 'errors', fastify: '5.x' },
)

/** Of routes that the contract does not have. */
const ownMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function sendNoRoute(
  request: FastifyRequest,
  reply: FastifyReply,
  allowedMethods: ErrorsOptions['allowedMethods'],
): FastifyReply {
  const path = pathOf(request)
  const own = ownMethods.filter((method) => request.server.hasRoute({ method, url: path }))
  const allowed = [...new Set([...(allowedMethods?.(path) ?? []), ...own])]
  if (allowed.length === 0) {
    return sendStatus(reply, statusOf(new AppError('not_found', `no such path: ${path}`), request.id))
  }
  // 405 says it in HTTP's words; the Status says UNIMPLEMENTED, as grpc-gateway does.
  const message = `${path} does not take ${request.method}, but ${allowed.join(', ')}`
  reply.header('allow', allowed.join(', '))
  const status = statusOf(new AppError('unimplemented', message), request.id)
  return sendStatus(reply, { ...status, httpStatus: 405 })
}

const statuses = new WeakMap<FastifyRequest, Status>()

/** The Status that a request was answered with, if it was answered with one. */
export function statusSent(request: FastifyRequest): Status | undefined {
  return statuses.get(request)
}

/** Answers with a Status. Sets the headers that HTTP wants beside it. */
export function sendStatus(reply: FastifyReply, status: Status): FastifyReply {
  statuses.set(reply.request, status)
  if (status.httpStatus === 401) reply.header('www-authenticate', 'Bearer')
  if (status.retryAfterSeconds !== undefined) reply.header('retry-after', status.retryAfterSeconds)
  return reply
    .code(status.httpStatus)
    .type('application/json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(statusJson(status))
}

/** What Fastify itself found wrong, in our words; anything else as it is. */
export function toAppError(error: Error): Error {
  if (error instanceof AppError) return error
  const { code, statusCode, validation, validationContext } = error as Partial<FastifyError>
  if (validation !== undefined) return invalid(validation.map((entry) => problemOf(entry, validationContext ?? '')))
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return invalidField('body', 'is larger than this server takes')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return invalidField('content-type', 'must be application/json')
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY') return invalidField('body', 'is not JSON')
  if (statusCode === undefined || statusCode < 400 || statusCode > 499) return error
  return new AppError(codeByHttpStatus[statusCode] ?? 'invalid', error.message, { cause: error })
}

const codeByHttpStatus: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'already_exists',
  429: 'exhausted',
}

function problemOf(entry: FastifySchemaValidationError, context: string) {
  const { missingProperty, additionalProperty } = entry.params
  const named = [missingProperty, additionalProperty].filter((name) => typeof name === 'string')
  const path = [...entry.instancePath.split('/').slice(1), ...named].join('.')
  const { allowedValues } = entry.params
  const message = Array.isArray(allowedValues) ? `must be one of ${allowedValues.join(', ')}` : entry.message
  return { field: path === '' ? context : path, message: message ?? 'is not valid' }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]?.slice(0, 200) ?? ''
}
