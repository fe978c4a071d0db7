import type { Server } from 'node:https'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logger } from '#libs/telemetry'
import { callerOf } from './authenticate-operators.ts'

const notes = new WeakMap<FastifyRequest, Record<string, string>>()

/** One line a call: who did what to whom, and how it ended. Bodies and answers stay out: they hold tokens and keys. */
export function auditLog(app: FastifyInstance<Server>, logger: Logger): void {
  app.addHook('onResponse', async (request, reply) => {
    const line = {
      ...callerOf(request),
      method: request.method,
      route: request.routeOptions.url,
      target: { ...(request.params as Readonly<Record<string, string>>), ...notes.get(request) },
      status: reply.statusCode,
      outcome: reply.statusCode < 400 ? 'done' : reply.statusCode < 500 ? 'refused' : 'failed',
      requestId: request.id,
      source: request.ip,
      ms: Math.round(reply.elapsedTime),
    }
    if (reply.statusCode < 500) logger.info(line, 'operator call')
    else logger.error(line, 'operator call')
  })
}

/** Adds to the call's line what its path does not say: the id of what was made, a reason. Never a secret. */
export function note(request: FastifyRequest, more: Readonly<Record<string, string>>): void {
  notes.set(request, { ...notes.get(request), ...more })
}
