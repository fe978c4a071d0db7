import type { EdgeRefusal, RefusalBatch } from '#libs/domain/edges'
import type { Database } from '#libs/store'
import { type AuditEntry, appendRefusals } from '#libs/store/audit'
import { readNamespaceTenants } from '#libs/store/edge'

export interface Recorded {
  readonly recorded: number
  /** Of namespaces that are not on the node's cell. */
  readonly leftOut: number
}

/**
 * Puts a node's refusals into the audit logs of the tenants whose namespaces they are of, tenant by tenant, each tenant's
 * once. A node that was taken over can tell lies about the namespaces of its own cell, and of no others.
 */
export async function recordRefusals(
  database: Database,
  node: { readonly cellId: string; readonly nodeId: string },
  { stream, number, refusals }: RefusalBatch,
): Promise<Recorded> {
  const tenantOf = await readNamespaceTenants(database, node.cellId, [
    ...new Set(refusals.map(({ namespaceId }) => namespaceId)),
  ])
  let recorded = 0
  let leftOut = 0
  for (const [tenantId, own] of Map.groupBy(refusals, ({ namespaceId }) => tenantOf.get(namespaceId))) {
    if (tenantId === undefined) leftOut += own.length
    else {
      const entries = own.map((refusal) => entryOf(refusal, node))
      if (await appendRefusals(database, { nodeId: node.nodeId, stream, number }, tenantId, entries)) {
        recorded += own.length
      }
    }
  }
  return { recorded, leftOut }
}

function entryOf(refusal: EdgeRefusal, node: { readonly nodeId: string }): Omit<AuditEntry, 'interface' | 'tenantId'> {
  const { keyId, fingerprint, firstAt, severalCallers } = refusal
  return {
    operation: refusal.operation,
    principal: principalOf(refusal.principalId),
    ...(keyId !== '' ? { credential: { kind: 'api_key', id: keyId } } : {}),
    ...(keyId === '' && fingerprint !== '' ? { credential: { kind: 'certificate', id: fingerprint } } : {}),
    sourceAddress: refusal.sourceAddress,
    target: { namespaceId: refusal.namespaceId },
    outcome: refusal.outcome,
    reason: refusal.reason,
    requestId: refusal.requestId,
    repeats: refusal.repeats,
    details: {
      nodeId: node.nodeId,
      ...(firstAt === undefined ? {} : { firstAt: new Date(firstAt).toISOString() }),
      ...(severalCallers === true ? { severalCallers } : {}),
    },
    // A node's clock may be ahead; what happened is over.
    occurredAt: new Date(Math.min(refusal.at, Date.now())),
  }
}

/** Whoever shows no good key is nobody in particular: a certificate says what it is, and not who holds it. */
function principalOf(id: string): AuditEntry['principal'] {
  if (id.startsWith('usr-')) return { type: 'user', id }
  if (id.startsWith('sa-')) return { type: 'service_account', id }
  return { type: 'anonymous', id }
}
