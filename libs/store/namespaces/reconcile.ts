import { type RawBuilder, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import { type NamespaceState, statesUnderWay } from '#libs/domain/namespaces'
import { openStates } from '#libs/domain/operations'
import type { Executor, Trx } from '../database.ts'
import { newLeaseEnd, restEnd, StaleWriterError } from '../lease.ts'
import { endOperations, tellOperations } from '../operations/progress.ts'
import type { NamespaceRow } from './store.ts'
import type { LimitsRecord } from './table.ts'

/** The row whatever its state, for a reconciler. @throws AppError `not_found` */
export async function readNamespace(
  executor: Executor,
  proof: Authorized<'namespace', 'update'>,
): Promise<NamespaceRow> {
  const { namespaceId } = proof.target
  const row = await executor.selectFrom('namespaces').selectAll().where('id', '=', namespaceId).executeTakeFirst()
  if (row === undefined) throw notFound('namespace', namespaceId)
  return row
}

export interface NamespaceRecord {
  readonly cellObserved?: object | null
  readonly edgeObserved?: object | null
  readonly nameObserved?: object | null
  readonly served?: boolean
  readonly waitingFor?: string
  readonly failures?: number
  readonly limitsObserved?: LimitsRecord | null
  /** Milliseconds during which the clock need not wake it: it waits, or it failed. Without, the clock may. */
  readonly restMs?: number
}

/**
 * Writes what a pass saw.
 * @param generation the intent that the pass works for.
 * @throws StaleWriterError when the lease is no longer this pass's, or the intent moved on meanwhile.
 */
export async function recordNamespace(
  executor: Executor,
  proof: Authorized<'namespace', 'update'>,
  fence: { readonly holder: string; readonly generation: number },
  record: NamespaceRecord,
): Promise<void> {
  const row = await executor
    .updateTable('namespaces')
    .set({
      ...(record.cellObserved === undefined ? {} : { cell_observed: json(record.cellObserved) }),
      ...(record.edgeObserved === undefined ? {} : { edge_observed: json(record.edgeObserved) }),
      ...(record.nameObserved === undefined ? {} : { name_observed: json(record.nameObserved) }),
      ...(record.served === undefined ? {} : { served: record.served }),
      ...(record.waitingFor === undefined ? {} : { waiting_for: record.waitingFor }),
      ...(record.failures === undefined ? {} : { failures: record.failures }),
      ...(record.limitsObserved === undefined ? {} : { limits_observed: json(record.limitsObserved) }),
      retry_at: restEnd(record.restMs),
      // A pass that works is a pass that lives.
      leased_until: newLeaseEnd(),
    })
    .where('id', '=', proof.target.namespaceId)
    .where('lease_owner', '=', fence.holder)
    .where('generation', '=', fence.generation)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`another pass works on ${proof.target.namespaceId}`)
  if (record.waitingFor !== undefined) await tellOperations(executor, proof.target.namespaceId, record.waitingFor)
}

/**
 * Says that the cell may have changed behind the rows: a call of a pass that had lost its lease, or its intent, arrived
 * all the same. A new generation, so that whoever works on it looks again, and a settled row is taken up again.
 */
export async function doubtNamespace(executor: Executor, proof: Authorized<'namespace', 'update'>): Promise<void> {
  await executor
    .updateTable('namespaces')
    .set((eb) => ({
      cell_observed: json({ kind: 'unknown' }),
      generation: eb('generation', '+', 1),
      retry_at: null,
      state: sql<NamespaceState>`case when state = 'active' then 'updating' else state end`,
    }))
    .where('id', '=', proof.target.namespaceId)
    .where('state', '<>', 'deleted')
    .execute()
}

/**
 * The pass reached the spec: the row settles, and every operation up to this generation is fulfilled.
 * @throws StaleWriterError as {@link recordNamespace}
 */
export async function settleNamespace(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  fence: { readonly holder: string; readonly generation: number },
  state: NamespaceState,
): Promise<void> {
  const { namespaceId } = proof.target
  const row = await trx
    .updateTable('namespaces')
    .set({
      state,
      waiting_for: '',
      failures: 0,
      retry_at: null,
      capacity_status: capacityEnded('completed'),
      ...(state === 'deleted' ? { deleted_at: new Date(), served: false } : {}),
    })
    .where('id', '=', namespaceId)
    .where('lease_owner', '=', fence.holder)
    .where('generation', '=', fence.generation)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`another pass works on ${namespaceId}`)
  if (state === 'deleted') await removeScopedPrincipals(trx, namespaceId)
  await endOperations(trx, namespaceId, fence.generation, 'fulfilled', '')
}

/** Grants end with the namespace, and so do the service accounts that were for it alone, and their keys. */
async function removeScopedPrincipals(trx: Trx, namespaceId: string): Promise<void> {
  const gone = await trx
    .updateTable('service_accounts')
    .set({ deleted_at: new Date() })
    .where('scoped_namespace_id', '=', namespaceId)
    .where('deleted_at', 'is', null)
    .returning('id')
    .execute()
  if (gone.length > 0) {
    await trx
      .updateTable('api_keys')
      .set({ deleted_at: new Date() })
      .where(
        'owner_id',
        'in',
        gone.map((row) => row.id),
      )
      .where('deleted_at', 'is', null)
      .execute()
  }
  await trx.deleteFrom('namespace_grants').where('namespace_id', '=', namespaceId).execute()
}

/** The spec cannot be reached: the operations of this generation fail with a reason that a person understands. */
export async function failNamespace(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  generation: number,
  state: NamespaceState,
  reason: string,
): Promise<void> {
  const { namespaceId } = proof.target
  await trx
    .updateTable('namespaces')
    .set({ state, waiting_for: reason, capacity_status: capacityEnded('failed') })
    .where('id', '=', namespaceId)
    .where('generation', '=', generation)
    .where('state', 'in', statesUnderWay)
    .execute()
  await endOperations(trx, namespaceId, generation, 'failed', reason)
}

/** The request for a capacity that is under way has ended; what was asked for acts if it was completed. */
function capacityEnded(outcome: 'completed' | 'failed'): RawBuilder<string | null> {
  const end = sql`jsonb_build_object('outcome', ${outcome}::text, 'endedAt', ${new Date().toISOString()}::text)`
  const request = sql`jsonb_build_object('request', capacity_status->'request' || ${end})`
  const current = sql`jsonb_build_object('current', capacity_status->'request'->'capacity')`
  const ended = outcome === 'completed' ? sql`${request} || ${current}` : request
  return sql`case when capacity_status ? 'request' and not (capacity_status->'request' ? 'outcome')
    then capacity_status || ${ended} else capacity_status end`
}

/** Rows that are not where their spec wants them and that do not rest, whoever should have woken their reconciler. */
export async function listUnsettled(
  executor: Executor,
  _proof: Authorized<'operation', 'list'>,
  limit: number,
): Promise<readonly { id: string; tenant_id: string }[]> {
  return executor
    .selectFrom('namespaces')
    .select(['id', 'tenant_id'])
    .where('state', 'in', statesUnderWay)
    .where((eb) => eb.or([eb('leased_until', 'is', null), eb('leased_until', '<', sql<Date>`now()`)]))
    .where((eb) => eb.or([eb('retry_at', 'is', null), eb('retry_at', '<', sql<Date>`now()`)]))
    .limit(limit)
    .execute()
}

/** Namespaces that wait for this cell to come up. */
export async function listWaitingForCell(
  executor: Executor,
  proof: Authorized<'cell', 'read'>,
): Promise<readonly string[]> {
  const rows = await executor
    .selectFrom('namespaces')
    .select('id')
    .where('cell_id', '=', proof.target.cellId)
    .where('state', 'in', statesUnderWay)
    .execute()
  return rows.map((row) => row.id)
}

/** Operations past their deadline, with the noun that they are about. */
export async function listOverdue(
  executor: Executor,
  _proof: Authorized<'operation', 'list'>,
  limit: number,
): Promise<
  readonly { resource_kind: string; resource_id: string; tenant_id: string; generation: number; waiting_for: string }[]
> {
  return executor
    .selectFrom('operations')
    .select(['resource_kind', 'resource_id', 'tenant_id', 'generation', 'waiting_for'])
    .where('state', 'in', openStates)
    .where('deadline_at', '<', sql<Date>`now()`)
    .limit(limit)
    .execute()
}

function json(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

/**
 * What the rows say of namespaces that were found on a cell: whether their row wants them there. An id that is missing
 * from the answer has no row at all, which does not happen by itself, since rows stay for ever.
 */
export async function findWanted(
  executor: Executor,
  proof: Authorized<'cell', 'read'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, boolean>> {
  if (ids.length === 0) return new Map()
  const rows = await executor
    .selectFrom('namespaces')
    .select(['id', 'cell_id', 'state'])
    .where('id', 'in', [...ids])
    .execute()
  const moving = await executor
    .selectFrom('moves')
    .select('namespace_id')
    .where('namespace_id', 'in', [...ids])
    .where('finished_at', 'is', null)
    .where((eb) =>
      eb.or([eb('source_cell_id', '=', proof.target.cellId), eb('target_cell_id', '=', proof.target.cellId)]),
    )
    .execute()
  // On both cells until its move has ended, which itself deletes what is too much.
  const onMove = new Set(moving.map((row) => row.namespace_id))
  return new Map(
    rows.map((row) => [row.id, onMove.has(row.id) || (row.cell_id === proof.target.cellId && row.state !== 'deleted')]),
  )
}
