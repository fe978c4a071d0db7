import { type SqlBool, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import { type NamespaceState, statesUnderWay } from '#libs/domain/namespaces'
import type { Executor, Trx } from '../database.ts'
import { newLeaseEnd, restEnd, StaleWriterError } from '../lease.ts'
import { endOperations, tellOperations } from '../operations/progress.ts'
import type { NexusEndpointRow } from './store.ts'

type Proof = Authorized<'nexus_endpoint', 'update'>

/** A job names the endpoint alone. @returns undefined when there is none, not even a deleted one. */
export async function tenantOfNexusEndpoint(executor: Executor, endpointId: string): Promise<string | undefined> {
  const row = await executor
    .selectFrom('nexus_endpoints')
    .select('tenant_id')
    .where('id', '=', endpointId)
    .executeTakeFirst()
  return row?.tenant_id
}

/** The row whatever its state, for a reconciler. @throws AppError `not_found` */
export async function readNexusEndpoint(executor: Executor, proof: Proof): Promise<NexusEndpointRow> {
  const { tenantId, endpointId } = proof.target
  const row = await executor
    .selectFrom('nexus_endpoints')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', endpointId)
    .executeTakeFirst()
  if (row === undefined) throw notFound('nexus endpoint', endpointId)
  return row
}

/** Where the namespaces of an endpoint are, as far as they have been placed on a cell. */
export async function placesOf(
  executor: Executor,
  row: Pick<NexusEndpointRow, 'tenant_id' | 'target_namespace_id' | 'allowed_namespace_ids'>,
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await executor
    .selectFrom('namespaces')
    .select(['id', 'cell_id'])
    .where('tenant_id', '=', row.tenant_id)
    .where('id', 'in', [row.target_namespace_id, ...row.allowed_namespace_ids])
    .where('state', '<>', 'deleted')
    .execute()
  return new Map(rows.map(({ id, cell_id }) => [id, cell_id]))
}

export interface NexusEndpointRecord {
  readonly cellId?: string
  readonly cellObserved?: object | null
  readonly edgeObserved?: object | null
  readonly served?: boolean
  readonly waitingFor?: string
  readonly failures?: number
  /** Milliseconds during which the clock need not wake it: it failed. Without, the clock may. */
  readonly restMs?: number
}

export interface NexusEndpointFence {
  readonly holder: string
  /** Of the intent that the pass works for. */
  readonly generation: number
}

/**
 * Writes what a pass saw.
 * @throws StaleWriterError when the lease is no longer this pass's, or the intent moved on meanwhile.
 */
export async function recordNexusEndpoint(
  executor: Executor,
  proof: Proof,
  fence: NexusEndpointFence,
  record: NexusEndpointRecord,
): Promise<void> {
  const { endpointId } = proof.target
  const row = await executor
    .updateTable('nexus_endpoints')
    .set({
      ...(record.cellId === undefined ? {} : { cell_id: record.cellId }),
      ...(record.cellObserved === undefined ? {} : { cell_observed: json(record.cellObserved) }),
      ...(record.edgeObserved === undefined ? {} : { edge_observed: json(record.edgeObserved) }),
      ...(record.served === undefined ? {} : { served: record.served }),
      ...(record.waitingFor === undefined ? {} : { waiting_for: record.waitingFor }),
      ...(record.failures === undefined ? {} : { failures: record.failures }),
      retry_at: restEnd(record.restMs),
      leased_until: newLeaseEnd(),
    })
    .where('id', '=', endpointId)
    .where('lease_owner', '=', fence.holder)
    .where('generation', '=', fence.generation)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`another pass works on ${endpointId}`)
  if (record.waitingFor !== undefined) await tellOperations(executor, endpointId, record.waitingFor)
}

/**
 * The pass reached the spec: the row settles, and every operation up to this generation is fulfilled.
 * @throws StaleWriterError as {@link recordNexusEndpoint}
 */
export async function settleNexusEndpoint(
  trx: Trx,
  proof: Proof,
  fence: NexusEndpointFence,
  state: NamespaceState,
): Promise<void> {
  const { endpointId } = proof.target
  const row = await trx
    .updateTable('nexus_endpoints')
    .set({
      state,
      waiting_for: '',
      failures: 0,
      retry_at: null,
      ...(state === 'deleted' ? { deleted_at: new Date(), served: false } : {}),
    })
    .where('id', '=', endpointId)
    .where('lease_owner', '=', fence.holder)
    .where('generation', '=', fence.generation)
    .returning('id')
    .executeTakeFirst()
  if (row === undefined) throw new StaleWriterError(`another pass works on ${endpointId}`)
  await endOperations(trx, endpointId, fence.generation, 'fulfilled', '')
}

/** The spec cannot be reached: the operations of this generation fail with a reason that a person understands. */
export async function failNexusEndpoint(
  trx: Trx,
  proof: Proof,
  generation: number,
  failure: { readonly state: NamespaceState; readonly reason: string },
): Promise<void> {
  const { endpointId } = proof.target
  await trx
    .updateTable('nexus_endpoints')
    .set({ state: failure.state, waiting_for: failure.reason })
    .where('id', '=', endpointId)
    .where('generation', '=', generation)
    .where('state', 'in', statesUnderWay)
    .execute()
  await endOperations(trx, endpointId, generation, 'failed', failure.reason)
}

/** Rows that are not where their spec wants them, that nobody works on, and that do not rest. */
export async function listUnsettledNexusEndpoints(
  executor: Executor,
  _proof: Authorized<'operation', 'list'>,
  limit: number,
): Promise<readonly string[]> {
  const rows = await executor
    .selectFrom('nexus_endpoints')
    .select('id')
    .where('state', 'in', statesUnderWay)
    .where((eb) => eb.or([eb('leased_until', 'is', null), eb('leased_until', '<', sql<Date>`now()`)]))
    .where((eb) => eb.or([eb('retry_at', 'is', null), eb('retry_at', '<', sql<Date>`now()`)]))
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/**
 * Whose rows may want one of these names on the cell, by name. One that is being deleted wants its name until its own pass
 * gives it up; one that failed before anything was made there does not count.
 * @param except the endpoint that gives its name up now.
 */
export async function findNexusNames(
  executor: Executor,
  proof: Authorized<'cell', 'read'>,
  names: readonly string[],
  except?: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (names.length === 0) return new Map()
  const rows = await executor
    .selectFrom('nexus_endpoints')
    .select(['id', 'name'])
    .where('cell_id', '=', proof.target.cellId)
    .where('name', 'in', [...names])
    .where('state', 'not in', ['deleting', 'delete_failed', 'deleted'])
    .where('id', '<>', except ?? '')
    .execute()
  const byName = Map.groupBy(rows, ({ name }) => name)
  return new Map([...byName].map(([name, named]) => [name, named.map(({ id }) => id)]))
}

/** Names that settled endpoints have on the cell, with these endpoints: what must be there. */
export async function listSettledNexusNames(
  executor: Executor,
  proof: Authorized<'cell', 'read'>,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return executor
    .selectFrom('nexus_endpoints')
    .select(['id', 'name'])
    .where('cell_id', '=', proof.target.cellId)
    .where('state', '=', 'active')
    .orderBy('id')
    .execute()
}

/**
 * Says that the cell may not have these names any more: whoever settled on them has to look again.
 * @param except the endpoint that gives its name up now.
 * @returns the endpoints to wake.
 */
export async function doubtNexusEndpoints(
  executor: Executor,
  proof: Authorized<'cell', 'update'>,
  names: readonly string[],
  except?: string,
): Promise<readonly string[]> {
  if (names.length === 0) return []
  const rows = await executor
    .updateTable('nexus_endpoints')
    .set((eb) => ({
      cell_observed: json({ kind: 'unknown' }),
      generation: eb('generation', '+', 1),
      retry_at: null,
      state: sql<NamespaceState>`case when state = 'active' then 'updating' else state end`,
    }))
    .where('cell_id', '=', proof.target.cellId)
    .where('name', 'in', [...names])
    .where('state', 'not in', ['deleting', 'delete_failed', 'deleted'])
    .where(sql<SqlBool>`cell_observed is not null`)
    .where('id', '<>', except ?? '')
    .returning('id')
    .execute()
  return rows.map(({ id }) => id)
}

function json(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}
