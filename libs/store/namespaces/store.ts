import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import {
  type Capacity,
  type NamespaceSpec,
  type NamespaceState,
  type SearchAttributes,
  statesBefore,
} from '#libs/domain/namespaces'
import type { Executor, Trx } from '../database.ts'
import { staleVersion } from '../stale-version.ts'
import type { CapacityStatus, NamespacesTable } from './table.ts'

export type NamespaceRow = Selectable<NamespacesTable>

export interface NewNamespace {
  readonly spec: NamespaceSpec
  readonly region: string
  readonly tags: Readonly<Record<string, string>>
}

/** @throws AppError `already_exists`, also for a name that was used before: an id never returns. */
export async function createNamespace(
  trx: Trx,
  proof: Authorized<'account', 'create_namespace'>,
  namespace: NewNamespace,
): Promise<NamespaceRow> {
  const { tenantId } = proof.target
  const id = `${namespace.spec.name}.${tenantId}`
  const row = await trx
    .insertInto('namespaces')
    .values({
      id,
      tenant_id: tenantId,
      name: namespace.spec.name,
      region: namespace.region,
      spec: JSON.stringify(namespace.spec),
      tags: JSON.stringify(namespace.tags),
      created_by: proof.actor.id,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) {
    throw new AppError(
      'already_exists',
      `namespace ${JSON.stringify(id)} exists, or existed before: names are never given twice`,
    )
  }
  return row
}

/** @throws AppError `not_found` */
export async function getNamespace(
  executor: Executor,
  proof: Authorized<
    'namespace',
    | 'read'
    | 'read_capacity'
    | 'read_user_assignments'
    | 'read_service_account_assignments'
    | 'read_user_group_assignments'
    | 'update'
    | 'rename_search_attribute'
    | 'delete'
    | 'grant_user_access'
    | 'grant_service_account_access'
    | 'grant_user_group_access'
  >,
): Promise<NamespaceRow> {
  const { tenantId, namespaceId } = proof.target
  const row = await executor
    .selectFrom('namespaces')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()
  if (row === undefined) throw notFound('namespace', namespaceId)
  return row
}

/** Those of one tenant that the proofs name, as far as they are there. */
export async function findNamespaces(
  executor: Executor,
  tenantId: string,
  proofs: readonly Authorized<'namespace', 'read'>[],
): Promise<readonly NamespaceRow[]> {
  const ids = proofs.filter(({ target }) => target.tenantId === tenantId).map(({ target }) => target.namespaceId)
  return executor
    .selectFrom('namespaces')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...new Set(ids), ''])
    .where('state', '<>', 'deleted')
    .execute()
}

export interface NamespacePage {
  /** Exact. */
  readonly name: string | undefined
  /** The last name of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

/** By name, ascending. */
export async function listNamespaces(
  executor: Executor,
  proof: Authorized<'namespace', 'list'>,
  page: NamespacePage,
): Promise<readonly NamespaceRow[]> {
  let query = executor
    .selectFrom('namespaces')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('state', '<>', 'deleted')
    .orderBy('name')
    .limit(page.limit)
  if (proof.limit.kind === 'only') query = query.where('id', 'in', [...proof.limit.namespaceIds, ''])
  if (page.name !== undefined) query = query.where('name', '=', page.name)
  if (page.after !== undefined) query = query.where('name', '>', page.after)
  return query.execute()
}

/**
 * Replaces the spec by compare-and-set on the caller's resource version.
 * @throws AppError `precondition` when somebody else was faster, or when the namespace is being deleted.
 */
export async function updateNamespaceSpec(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  spec: NamespaceSpec,
  resourceVersion: string,
): Promise<NamespaceRow> {
  return changeIntent(trx, proof, resourceVersion, statesBefore('activating', 'updating'), {
    spec: JSON.stringify(spec),
    state: changingState,
    resource_version: nextVersion,
  })
}

/**
 * Gives search attributes other names. The resource version stays, since Terraform's provider renames and then updates
 * with the version that it read before; the rename is in the spec that such an update has to name all the same.
 * @throws AppError as {@link updateNamespaceSpec}
 */
export async function renameSearchAttributes(
  trx: Trx,
  proof: Authorized<'namespace', 'rename_search_attribute'>,
  attributes: SearchAttributes,
  resourceVersion: string,
): Promise<NamespaceRow> {
  return changeIntent(trx, proof, resourceVersion, statesBefore('activating', 'updating'), {
    spec: sql<string>`jsonb_set(spec, '{searchAttributes}', ${JSON.stringify(attributes)}::jsonb)`,
    state: changingState,
  })
}

/**
 * Replaces the spec where neither cell nor edge has to follow: nothing is under way because of it.
 * @throws AppError as {@link updateNamespaceSpec}
 */
export async function replaceToldSpec(
  trx: Trx,
  proof: Authorized<'namespace', 'update'>,
  spec: NamespaceSpec,
  resourceVersion: string,
): Promise<NamespaceRow> {
  const { tenantId, namespaceId } = proof.target
  const row = await trx
    .updateTable('namespaces')
    .set({ spec: JSON.stringify(spec), resource_version: nextVersion, updated_at: new Date() })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .where((eb) => eb(eb.cast<string>('resource_version', 'text'), '=', resourceVersion))
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  throw staleVersion('namespace', resourceVersion, (await getNamespace(trx, proof)).resource_version)
}

/**
 * Waits for whoever changes it at the same time: for changes that are made from what is there. The version alone does not
 * guard them, since a rename and a change of tags leave it as it is.
 * @throws AppError `not_found`
 */
export async function lockNamespace(
  trx: Trx,
  proof:
    | Authorized<'namespace', 'update'>
    | Authorized<'namespace', 'rename_search_attribute'>
    | Authorized<'namespace', 'update_tags'>,
): Promise<NamespaceRow> {
  const { tenantId, namespaceId } = proof.target
  const row = await trx
    .selectFrom('namespaces')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .where('state', '<>', 'deleted')
    .forUpdate()
    .executeTakeFirst()
  if (row === undefined) throw notFound('namespace', namespaceId)
  return row
}

export async function setNamespaceTags(
  trx: Trx,
  proof: Authorized<'namespace', 'update_tags'>,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  const { tenantId, namespaceId } = proof.target
  await trx
    .updateTable('namespaces')
    .set({ tags: JSON.stringify(tags) })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .execute()
}

/** Notes that a change of capacity began; what acts meanwhile stays as it was. */
export async function beginCapacityRequest(
  trx: Trx,
  proof: Authorized<'namespace', 'update'> | Authorized<'account', 'create_namespace'>,
  row: NamespaceRow,
  request: { readonly capacity: Capacity; readonly operationId: string; readonly startedAt: Date },
): Promise<void> {
  const status: CapacityStatus = {
    ...row.capacity_status,
    request: { ...request, startedAt: request.startedAt.toISOString() },
  }
  await trx
    .updateTable('namespaces')
    .set({ capacity_status: JSON.stringify(status) })
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', '=', row.id)
    .execute()
}

/** @throws AppError as {@link updateNamespaceSpec} */
export async function markNamespaceDeleting(
  trx: Trx,
  proof: Authorized<'namespace', 'delete'>,
  resourceVersion: string,
): Promise<NamespaceRow> {
  return changeIntent(trx, proof, resourceVersion, statesBefore('deleting'), {
    state: sql<NamespaceState>`'deleting'`,
    resource_version: nextVersion,
  })
}

const nextVersion = sql<number>`resource_version + 1`
/** One that never came up is still coming up. */
const changingState = sql<NamespaceState>`case when state in ('activating', 'activation_failed') then 'activating' else 'updating' end`

async function changeIntent(
  trx: Trx,
  proof: Authorized<'namespace', 'update' | 'rename_search_attribute' | 'delete'>,
  resourceVersion: string,
  from: readonly NamespaceState[],
  change: {
    readonly spec?: string | RawBuilder<string>
    readonly state: RawBuilder<NamespaceState>
    readonly resource_version?: RawBuilder<number>
  },
): Promise<NamespaceRow> {
  const { tenantId, namespaceId } = proof.target
  const row = await trx
    .updateTable('namespaces')
    .set((eb) => ({
      ...change,
      generation: eb('generation', '+', 1),
      failures: 0,
      retry_at: null,
      waiting_for: '',
      updated_at: new Date(),
    }))
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .where('state', 'in', from)
    .where((eb) => eb(eb.cast<string>('resource_version', 'text'), '=', resourceVersion))
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const present = await getNamespace(trx, proof)
  if (!from.includes(present.state)) {
    throw new AppError('precondition', `namespace ${JSON.stringify(namespaceId)} is being deleted`)
  }
  throw staleVersion('namespace', resourceVersion, present.resource_version)
}
