import { createHash, randomUUID } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import { openStates } from '#libs/domain/operations'
import type { Executor, Trx } from '../database.ts'
import type { OperationsTable } from './table.ts'

export type OperationRow = Selectable<OperationsTable>

export interface NewOperation {
  readonly tenantId: string
  /** The caller's `async_operation_id`; empty when the caller gave none. */
  readonly id: string
  readonly rpc: string
  /** The request's canonical bytes, without the operation id. */
  readonly request: Uint8Array
  readonly requestedBy: string
  readonly deadline: Date
}

/** Either ours to carry out, or one that the same caller asked for before. */
export type BegunOperation =
  | { readonly kind: 'new'; readonly row: OperationRow }
  | { readonly kind: 'repeated'; readonly row: OperationRow }

/**
 * Writes the operation first, so that of any number of equal requests in parallel one goes on and the others wait for
 * its commit and find its row.
 * @throws AppError `already_exists` when the id was used for another request.
 */
export async function beginOperation(trx: Trx, operation: NewOperation): Promise<BegunOperation> {
  const id = operation.id === '' ? randomUUID() : operation.id
  const hash = createHash('sha256').update(operation.rpc).update('\0').update(operation.request).digest()
  const row = await trx
    .insertInto('operations')
    .values({
      tenant_id: operation.tenantId,
      id,
      rpc: operation.rpc,
      request_hash: hash,
      request: Buffer.from(operation.request),
      resource_kind: '',
      resource_id: '',
      state: 'pending',
      requested_by: operation.requestedBy,
      deadline_at: operation.deadline,
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return { kind: 'new', row }
  const earlier = await trx
    .selectFrom('operations')
    .selectAll()
    .where('tenant_id', '=', operation.tenantId)
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  // Somebody else's operation under the same id is as good as another request: its answer is not for this caller.
  if (!earlier.request_hash.equals(hash) || earlier.requested_by !== operation.requestedBy) {
    throw new AppError(
      'already_exists',
      `async_operation_id ${JSON.stringify(id)} was used for another request: choose a new one`,
    )
  }
  return { kind: 'repeated', row: earlier }
}

export interface OperationSubject {
  readonly kind: string
  readonly id: string
  /** Of the resource: what the reconciler has to reach. */
  readonly generation: number
}

/** Says what a new operation is about. One without work left to do is fulfilled at once. */
export async function describeOperation(
  trx: Trx,
  row: OperationRow,
  subject: OperationSubject,
  state: 'pending' | 'fulfilled',
): Promise<OperationRow> {
  return trx
    .updateTable('operations')
    .set({
      resource_kind: subject.kind,
      resource_id: subject.id,
      generation: subject.generation,
      state,
      ...(state === 'fulfilled' ? { started_at: new Date(), finished_at: new Date() } : {}),
    })
    .where('tenant_id', '=', row.tenant_id)
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** @throws AppError `not_found`, also for an operation that the proof does not reach. */
export async function getOperation(executor: Executor, proof: Authorized<'operation', 'read'>): Promise<OperationRow> {
  const { tenantId, operationId } = proof.target
  const row = await executor
    .selectFrom('operations')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', operationId)
    .executeTakeFirst()
  if (row === undefined || !isReached(row, proof)) throw notFound('operation', operationId)
  return row
}

function isReached(row: OperationRow, proof: Authorized<'operation', 'read'>): boolean {
  if (proof.limit.kind !== 'only') return true
  return row.requested_by === proof.limit.ownerId || proof.limit.namespaceIds.has(row.resource_id)
}

/**
 * Operations in flight or lately ended, newest first, with why each one waits: the operator's view. `before` names the
 * last one of the page before.
 */
export async function listOperations(
  executor: Executor,
  _proof: Authorized<'operation', 'list'>,
  page: {
    readonly openOnly: boolean
    readonly limit: number
    readonly before: { readonly tenantId: string; readonly id: string } | undefined
  },
): Promise<readonly OperationRow[]> {
  let query = executor
    .selectFrom('operations')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('tenant_id', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.openOnly) query = query.where('state', 'in', openStates)
  if (page.before !== undefined) {
    const { tenantId, id } = page.before
    // Looked up here: a Date has milliseconds, and would skip what was made in the same one.
    query = query.where(
      sql<boolean>`(created_at, tenant_id, id) < (select o.created_at, o.tenant_id, o.id from operations o
        where o.tenant_id = ${tenantId} and o.id = ${id})`,
    )
  }
  return query.execute()
}
