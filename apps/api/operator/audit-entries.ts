import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { type AuditEntryRow, auditLogId, listFleetAuditEntries } from '#libs/store/audit'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, integer, listOf, request, route, string, time } from './schemas.ts'

const facts = { type: 'object', additionalProperties: true } as const
const entrySchema = answer(
  {
    id: string,
    chain: { ...string, description: 'The tenant’s id, or `_fleet`.' },
    sequence: { ...integer, description: 'Its place in the chain, from 1 on, without gaps.' },
    hash: { ...string, description: 'SHA-256 over the entry and the hash of the one before, lower-case hex.' },
    tenantId: string,
    emitTime: { ...time, description: 'When it was appended.' },
    occurredAt: { ...time, description: 'When it happened.' },
    interface: string,
    operation: { ...string, description: 'The rpc, or verb and route.' },
    principal: answer({ type: string, id: string, name: string }),
    credential: answer({ kind: string, id: string }),
    sourceAddress: string,
    target: { ...facts, description: 'Ids, by what they name.' },
    outcome: { ...string, description: 'The name of a gRPC status.' },
    reason: string,
    requestId: string,
    asyncOperationId: string,
    repeats: { ...integer, description: 'Equal refusals that this entry stands for.' },
    details: facts,
    recordedBy: { ...string, description: 'The database role that appended it.' },
  },
  ['tenantId'],
)

interface Query extends PageQuery {
  readonly tenantId?: string
  readonly principalId?: string
  readonly startTime?: string
  readonly endTime?: string
}

/** Every tenant's audit log and the fleet's own, in one list. */
export function auditEntryRoutes(app: FastifyInstance, { database, pages }: OperatorContext): void {
  app.get<{ Querystring: Query }>(
    '/audit-log',
    {
      schema: route(
        'Audit log',
        'List what was changed and what was refused, newest first',
        listOf('entries', entrySchema),
        {
          querystring: request({
            tenantId: {
              ...string,
              maxLength: 128,
              description: 'One tenant’s chain; `_fleet`: operators and strangers.',
            },
            principalId: { ...string, maxLength: 256, description: 'Principal id, or an operator’s name.' },
            startTime: { ...time, description: 'The first moment.' },
            endTime: { ...time, description: 'The first moment after.' },
            ...pageParameters,
          }),
        },
      ),
    },
    async (call) => {
      const { tenantId, principalId, startTime, endTime } = call.query
      const proof = authorize(claimsOf(call), 'fleet_audit_log', 'list', { fleet: true })
      const filter = { tenantId, principalId, from: dateOf(startTime), to: dateOf(endTime) }
      const { items, nextPageToken } = await readPage(
        pages,
        'audit-log',
        { ...call.query },
        (before, limit) => listFleetAuditEntries(database.all, proof, { ...filter, before: readKey(before), limit }),
        ({ chain, seq }) => JSON.stringify([chain, seq]),
      )
      return { entries: items.map(entryOf), nextPageToken }
    },
  )
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

/** What the key of a page says; it comes sealed, so that it is ours. */
function readKey(key: string | undefined): { readonly chain: string; readonly seq: number } | undefined {
  if (key === undefined) return undefined
  const [chain, seq]: readonly [string, number] = JSON.parse(key)
  return { chain, seq }
}

function entryOf(row: AuditEntryRow) {
  return {
    id: auditLogId(row),
    chain: row.chain,
    sequence: row.seq,
    hash: row.hash.toString('hex'),
    ...(row.tenant_id === null ? {} : { tenantId: row.tenant_id }),
    emitTime: row.emit_time.toISOString(),
    occurredAt: row.occurred_at.toISOString(),
    interface: row.interface,
    operation: row.operation,
    principal: { type: row.principal_type, id: row.principal_id, name: row.principal_name },
    credential: { kind: row.credential_kind, id: row.credential_id },
    sourceAddress: row.source_address,
    target: row.target,
    outcome: row.outcome,
    reason: row.reason,
    requestId: row.request_id,
    asyncOperationId: row.async_operation_id,
    repeats: row.repeats,
    details: row.details,
    recordedBy: row.recorded_by,
  }
}
