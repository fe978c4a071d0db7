import type { FastifyServerOptions } from 'fastify'
import { AppError } from '#libs/base'
import { sendStatus, toAppError } from '../plugins/errors.ts'
import { acceptRequestId } from './dispatcher.ts'
import { statusJson, statusOf } from './status.ts'

/** Bytes of a request's body. The largest honest one is a bundle of CA certificates (32 KB). */
const bodyLimit = 1024 * 1024

/** What a Fastify server of ours must be made with, so that even what Fastify answers by itself is a Status. */
export const restServerOptions = {
  bodyLimit,
  logger: false,
  // For the routes of ours that have a schema: what is wrong is said, never mended silently.
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allErrors: true } },
  genReqId: (request) => acceptRequestId(request.headers['x-request-id']),
  // Milliseconds for a request to arrive whole: a slow sender holds no connection for longer.
  requestTimeout: 60_000,
  routerOptions: { maxParamLength: 512 },
  frameworkErrors: (error, request, reply) => {
    void sendStatus(reply.header('x-request-id', request.id), statusOf(toAppError(error), request.id))
  },
  clientErrorHandler: (error, socket) => {
    // No request exists yet: the bytes were not HTTP, or its headers were too large.
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return
    const body = JSON.stringify(statusJson(statusOf(new AppError('invalid', 'not a valid HTTP request'), '')))
    const head = ['HTTP/1.1 400 Bad Request', 'content-type: application/json; charset=utf-8', 'connection: close']
    socket.end([...head, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'))
  },
} satisfies FastifyServerOptions
