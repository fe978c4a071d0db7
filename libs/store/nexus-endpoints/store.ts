import { type Selectable, type SqlBool, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import { type NamespaceState, statesBefore } from '#libs/domain/namespaces'
import type { NexusEndpointSpec } from '#libs/domain/nexus-endpoints'
import type { Executor, Trx } from '../database.ts'
import { nameTaken } from '../name-free.ts'
import { staleVersion } from '../stale-version.ts'
import { assertFewCallers, lockNamespaces } from './callers.ts'
import type { NexusEndpointsTable } from './table.ts'

export type NexusEndpointRow = Selectable<NexusEndpointsTable>

type AnyProof =
  | Authorized<'nexus_endpoint', 'read'>
  | Authorized<'nexus_endpoint', 'update'>
  | Authorized<'nexus_endpoint', 'delete'>

/** What the row asks for. */
export function nexusEndpointSpecOf(row: NexusEndpointRow): NexusEndpointSpec {
  return {
    name: row.name,
    ...(row.description === null ? {} : { description: row.description }),
    targetNamespaceId: row.target_namespace_id,
    targetTaskQueue: row.target_task_queue,
    allowedNamespaceIds: row.allowed_namespace_ids,
  }
}

/**
 * @throws AppError `already_exists` when the name is taken among the living; `not_found` when one of the namespaces is not
 * the tenant's, or is being deleted; `precondition` when the account's endpoints would have too many callers altogether.
 */
export async function createNexusEndpoint(
  trx: Trx,
  proof: Authorized<'account', 'create_nexus_endpoint'>,
  spec: NexusEndpointSpec,
): Promise<NexusEndpointRow> {
  const { tenantId } = proof.target
  await lockNamespaces(trx, tenantId, spec)
  const row = await trx
    .insertInto('nexus_endpoints')
    .values({ id: newId('nexus'), tenant_id: tenantId, created_by: proof.actor.id, ...columns(spec) })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).where('state', '<>', 'deleted').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw nameTaken('nexus endpoint', spec.name)
  await assertFewCallers(trx, tenantId)
  return row
}

/** @throws AppError `not_found` */
export async function getNexusEndpoint(executor: Executor, proof: AnyProof): Promise<NexusEndpointRow> {
  const { tenantId, endpointId } = proof.target
  const row = await executor
    .selectFrom('nexus_endpoints')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', endpointId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()
  if (row === undefined) throw notFound('nexus endpoint', endpointId)
  return row
}

export interface NexusEndpointQuery {
  /** Exact; undefined: any. */
  readonly name: string | undefined
  readonly targetNamespaceId: string | undefined
  readonly targetTaskQueue: string | undefined
  /** The last id of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

/** By id, ascending. */
export async function listNexusEndpoints(
  executor: Executor,
  proof: Authorized<'nexus_endpoint', 'list'>,
  asked: NexusEndpointQuery,
): Promise<readonly NexusEndpointRow[]> {
  let query = executor
    .selectFrom('nexus_endpoints')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('state', '<>', 'deleted')
    .orderBy('id')
    .limit(asked.limit)
  if (asked.name !== undefined) query = query.where('name', '=', asked.name)
  if (asked.targetNamespaceId !== undefined) query = query.where('target_namespace_id', '=', asked.targetNamespaceId)
  if (asked.targetTaskQueue !== undefined) query = query.where('target_task_queue', '=', asked.targetTaskQueue)
  if (asked.after !== undefined) query = query.where('id', '>', asked.after)
  return query.execute()
}

/**
 * Replaces the spec by compare-and-set on the caller's resource version.
 * @throws AppError as {@link createNexusEndpoint}; `precondition` when somebody else was faster, or when it is being deleted.
 */
export async function updateNexusEndpoint(
  trx: Trx,
  proof: Authorized<'nexus_endpoint', 'update'>,
  spec: NexusEndpointSpec,
  resourceVersion: string,
): Promise<NexusEndpointRow> {
  const { tenantId, endpointId } = proof.target
  await lockNamespaces(trx, tenantId, spec)
  const taken = await trx
    .selectFrom('nexus_endpoints')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('name', '=', spec.name)
    .where('id', '<>', endpointId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()
  if (taken !== undefined) throw nameTaken('nexus endpoint', spec.name)
  try {
    const row = await changeIntent(trx, proof, resourceVersion, statesBefore('activating', 'updating'), {
      ...columns(spec),
      // One that never came up is still coming up.
      state: sql<NamespaceState>`case when state in ('activating', 'activation_failed') then 'activating' else 'updating' end`,
    })
    await assertFewCallers(trx, tenantId)
    return row
  } catch (thrown) {
    // Somebody took the name since the look above.
    if (isUniqueViolation(thrown)) throw nameTaken('nexus endpoint', spec.name)
    throw thrown
  }
}

/** @throws AppError as {@link updateNexusEndpoint} */
export async function markNexusEndpointDeleting(
  trx: Trx,
  proof: Authorized<'nexus_endpoint', 'delete'>,
  resourceVersion: string,
): Promise<NexusEndpointRow> {
  return changeIntent(trx, proof, resourceVersion, statesBefore('deleting'), { state: 'deleting' })
}

async function changeIntent(
  trx: Trx,
  proof: Authorized<'nexus_endpoint', 'update'> | Authorized<'nexus_endpoint', 'delete'>,
  resourceVersion: string,
  from: readonly NamespaceState[],
  change: Partial<ReturnType<typeof columns>> & {
    readonly state: NamespaceState | ReturnType<typeof sql<NamespaceState>>
  },
): Promise<NexusEndpointRow> {
  const { tenantId, endpointId } = proof.target
  const row = await trx
    .updateTable('nexus_endpoints')
    .set((eb) => ({
      ...change,
      generation: eb('generation', '+', 1),
      resource_version: eb('resource_version', '+', 1),
      failures: 0,
      retry_at: null,
      waiting_for: '',
      updated_at: new Date(),
    }))
    .where('tenant_id', '=', tenantId)
    .where('id', '=', endpointId)
    .where('state', 'in', from)
    .where(sql<SqlBool>`resource_version::text = ${resourceVersion}`)
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const present = await getNexusEndpoint(trx, proof)
  if (String(present.resource_version) !== resourceVersion) {
    throw staleVersion('nexus endpoint', resourceVersion, present.resource_version)
  }
  throw new AppError('precondition', `nexus endpoint ${JSON.stringify(endpointId)} is being deleted`)
}

function columns(spec: NexusEndpointSpec) {
  return {
    name: spec.name,
    description: spec.description === undefined ? null : Buffer.from(spec.description),
    target_namespace_id: spec.targetNamespaceId,
    target_task_queue: spec.targetTaskQueue,
    allowed_namespace_ids: spec.allowedNamespaceIds,
  }
}

function isUniqueViolation(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === '23505'
}
