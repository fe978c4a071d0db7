import type { Server } from 'node:https'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Trx } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { appendCall, auditCalls, describeCall } from '../audit/audit-calls.ts'
import type { AuditRecorder } from '../audit/audit-writer.ts'
import { callerOf } from './authenticate-operators.ts'

const notes = new WeakMap<FastifyRequest, Record<string, string>>()

/**
 * One line in the log a call, and an entry in the audit log for each change and each refusal: who did what to whom, and
 * how it ended. Bodies and answers stay out: they hold tokens and keys.
 */
export function auditLog(app: FastifyInstance<Server>, logger: Logger, recorder: AuditRecorder): void {
  auditCalls(app, {
    recorder,
    interface: 'operator',
    whoOf: (request) => {
      const { operator, fingerprint } = callerOf(request)
      return {
        ...(operator === undefined ? {} : { principal: { type: 'operator', id: operator, name: operator } }),
        ...(fingerprint === undefined ? {} : { credential: { kind: 'certificate', id: fingerprint } }),
      }
    },
  })
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

/** Adds to the call's line and entry what its path does not say: the id of what was made, a reason. Never a secret. */
export function note(request: FastifyRequest, more: Readonly<Record<string, string>>): void {
  notes.set(request, { ...notes.get(request), ...more })
  describeCall(request, { target: more })
}

/**
 * Appends the entry of what an operator changed, as the last statement of the change's transaction: both are kept, or
 * neither. A route that forgets it gets its entry a moment after its answer.
 */
export async function audited(
  trx: Trx,
  request: FastifyRequest,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  note(request, more)
  await appendCall(trx, request)
}
