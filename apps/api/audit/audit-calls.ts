import type { FastifyInstance, FastifyRequest, RawServerBase } from 'fastify'
import type { Trx } from '#libs/store'
import { type AuditEntry, type AuditInterface, appendAuditEntry } from '#libs/store/audit'
import { statusSent } from '../plugins/errors.ts'
import type { AuditRecorder } from './audit-writer.ts'
import { nobody } from './entry-of-claims.ts'
import { refusedReads } from './record-refusal.ts'

/** What a request does not say by itself. Never a secret. */
export type CallFacts = Partial<Pick<AuditEntry, 'tenantId' | 'principal' | 'credential' | 'target'>>

export interface AuditCallsOptions {
  readonly recorder: AuditRecorder
  readonly interface: AuditInterface
  /** Who calls, as far as it is known by now. */
  readonly whoOf?: (request: FastifyRequest) => CallFacts
}

const options = new WeakMap<FastifyRequest, AuditCallsOptions>()
const facts = new WeakMap<FastifyRequest, CallFacts>()
const appended = new WeakSet<FastifyRequest>()

/**
 * Has every change and every refusal on the routes of `app` written down. A change's own entry is {@link appendCall},
 * in its transaction; one that forgets it is recorded when it is answered.
 */
export function auditCalls<Server extends RawServerBase>(app: FastifyInstance<Server>, audit: AuditCallsOptions): void {
  app.addHook('onRequest', async (request) => {
    options.set(request as FastifyRequest, audit)
  })
  app.addHook('onResponse', async (request, reply) => {
    const call = request as FastifyRequest
    const done = reply.statusCode < 400
    const changes = call.method !== 'GET' && call.method !== 'HEAD'
    if (done && (!changes || appended.has(call))) return
    const status = statusSent(call)
    const outcome = done ? 'OK' : (status?.name ?? 'UNKNOWN')
    if (!done && !changes && !refusedReads.has(outcome)) return
    audit.recorder.record({ ...entryOf(call, audit), outcome, ...(done ? {} : { reason: status?.message ?? '' }) })
  })
}

/** Adds to what the call's entry will say. */
export function describeCall(request: FastifyRequest, more: CallFacts): void {
  const known = facts.get(request) ?? {}
  facts.set(request, { ...known, ...more, target: { ...known.target, ...more.target } })
}

/** Appends the entry of a change, as the last statement of its transaction. */
export async function appendCall(trx: Trx, request: FastifyRequest, more: CallFacts = {}): Promise<void> {
  describeCall(request, more)
  const audit = options.get(request)
  if (audit === undefined) throw new Error('the route is not audited')
  await appendAuditEntry(trx, { ...entryOf(request, audit), outcome: 'OK' })
  appended.add(request)
}

function entryOf(request: FastifyRequest, { interface: way, whoOf }: AuditCallsOptions): AuditEntry {
  const known = facts.get(request)
  return {
    ...nobody,
    ...whoOf?.(request),
    ...known,
    interface: way,
    operation: `${request.method} ${request.routeOptions.url ?? '(no such route)'}`,
    sourceAddress: request.ip,
    target: { ...(request.params as Readonly<Record<string, string>> | undefined), ...known?.target },
    outcome: '',
    requestId: request.id,
  }
}
