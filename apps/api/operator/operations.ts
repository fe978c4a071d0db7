import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { listOperations, type OperationRow } from '#libs/store/operations'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, listOf, oneOf, request, route, string, time } from './schemas.ts'

const operationSchema = answer(
  {
    tenantId: string,
    id: string,
    rpc: string,
    resourceKind: string,
    resourceId: string,
    state: oneOf('pending', 'in_progress', 'failed', 'cancelled', 'fulfilled'),
    waitingFor: { ...string, description: 'What has to happen before it can go on; empty when nothing has to.' },
    failureReason: string,
    requestedBy: string,
    createdAt: time,
    deadlineAt: time,
    startedAt: time,
    finishedAt: time,
  },
  ['startedAt', 'finishedAt'],
)

/** Every tenant's operations, without their requests, which are the tenants' own. */
export function operationRoutes(app: FastifyInstance, { database, pages }: OperatorContext): void {
  app.get<{ Querystring: PageQuery & { readonly open?: 'true' | 'false' } }>(
    '/operations',
    {
      schema: route('Operations', 'List operations, newest first', listOf('operations', operationSchema), {
        querystring: request({
          open: { ...oneOf('true', 'false'), description: 'Only those that have not ended.' },
          ...pageParameters,
        }),
      }),
    },
    async (call) => {
      const openOnly = call.query.open === 'true'
      const proof = authorize(claimsOf(call), 'operation', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'operations',
        { ...call.query },
        (before, limit) => listOperations(database.all, proof, { openOnly, before: readKey(before), limit }),
        ({ tenant_id, id }) => JSON.stringify([tenant_id, id]),
      )
      return { operations: items.map(operationOf), nextPageToken }
    },
  )
}

/** What the key of a page says; it comes sealed, so that it is ours. */
function readKey(key: string | undefined): { readonly tenantId: string; readonly id: string } | undefined {
  if (key === undefined) return undefined
  const [tenantId = '', id = '']: readonly string[] = JSON.parse(key)
  return { tenantId, id }
}

function operationOf(row: OperationRow) {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    rpc: row.rpc,
    resourceKind: row.resource_kind,
    resourceId: row.resource_id,
    state: row.state,
    waitingFor: row.waiting_for,
    failureReason: row.failure_reason,
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    deadlineAt: row.deadline_at.toISOString(),
    ...(row.started_at === null ? {} : { startedAt: row.started_at.toISOString() }),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at.toISOString() }),
  }
}
