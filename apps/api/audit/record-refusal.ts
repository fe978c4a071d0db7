import type { Claims } from '#libs/authz'
import type { RefusedCall } from '../transport/dispatcher.ts'
import type { AuditRecorder } from './audit-writer.ts'
import { entryOfRefused } from './entry-of-claims.ts'
import { targetIds } from './target-ids.ts'

/**
 * How a read ends that was refused, and did not merely go wrong. Of a change, every end but OK counts: somebody wanted
 * something changed.
 */
export const refusedReads: ReadonlySet<string> = new Set([
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'NOT_FOUND',
  'RESOURCE_EXHAUSTED',
])

/** Characters, as the log holds them. */
const maxOperationId = 256

/** Tells the audit log of calls of the Cloud Ops API that were refused, over either transport. */
export function refusalRecorder(recorder: AuditRecorder): (refused: RefusedCall<Claims>) => void {
  return ({ call, claims, request, status, error }) => {
    if (call.rpc.verb === 'GET' && !refusedReads.has(status.name)) return
    const { asyncOperationId } = (request ?? {}) as { readonly asyncOperationId?: string | null }
    recorder.record({
      ...entryOfRefused(claims, error),
      interface: call.transport === 'rest' ? 'cloud_rest' : 'cloud_grpc',
      operation: call.rpc.name,
      sourceAddress: call.credentials.sourceAddress,
      target: request === undefined ? {} : targetIds(request),
      outcome: status.name,
      reason: status.message,
      requestId: call.requestId,
      // Cut here already: the entry is held for a while, and the request, as long as it may be, must not be.
      ...(typeof asyncOperationId === 'string' ? { asyncOperationId: asyncOperationId.slice(0, maxOperationId) } : {}),
      ...(call.dryRun === 'true' ? { details: { dryRun: true } } : {}),
    })
  }
}
