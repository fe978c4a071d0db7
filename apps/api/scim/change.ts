import type { FastifyRequest } from 'fastify'
import type { Database, Trx } from '#libs/store'
import { appendAuditEntry } from '#libs/store/audit'
import { entryOfClaims } from '../audit/entry-of-claims.ts'
import { scimCallerOf } from './caller.ts'
import { operationOf, targetOf } from './errors.ts'

/** A change and its entry in the audit log, both or neither. `work` answers with what the change was about. */
export async function change<Result extends { readonly id: string }>(
  database: Database,
  request: FastifyRequest,
  work: (trx: Trx) => Promise<Result>,
): Promise<Result> {
  const { member, tenantId } = scimCallerOf(request)
  return database.transactionOfTenant(tenantId, async (trx) => {
    const result = await work(trx)
    await appendAuditEntry(trx, {
      ...entryOfClaims(member),
      interface: 'scim',
      operation: operationOf(request),
      sourceAddress: request.ip,
      target: { ...targetOf(request), id: result.id },
      outcome: 'OK',
      requestId: request.id,
    })
    return result
  })
}
