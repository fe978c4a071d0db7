import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import { type NamespaceSpec, type NamespaceState, statesBefore } from '#libs/domain/namespaces'
import type { Executor, Trx } from '../database.ts'
import { staleVersion } from '../stale-version.ts'
import type { NamespacesTable } from './table.ts'

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
  proof: Authorized<'namespace', 'read'> | Authorized<'namespace', 'update'> | Authorized<'namespace', 'delete'>,
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
    // One that never came up is still coming up.
    state: sql<NamespaceState>`case when state in ('activating', 'activation_failed') then 'activating' else 'updating' end`,
  })
}

/** @throws AppError as {@link updateNamespaceSpec} */
export async function markNamespaceDeleting(
  trx: Trx,
  proof: Authorized<'namespace', 'delete'>,
  resourceVersion: string,
): Promise<NamespaceRow> {
  return changeIntent(trx, proof, resourceVersion, statesBefore('deleting'), { state: sql<NamespaceState>`'deleting'` })
}

async function changeIntent(
  trx: Trx,
  proof: Authorized<'namespace', 'update'> | Authorized<'namespace', 'delete'>,
  resourceVersion: string,
  from: readonly NamespaceState[],
  change: { readonly spec?: string; readonly state: RawBuilder<NamespaceState> },
): Promise<NamespaceRow> {
  const { tenantId, namespaceId } = proof.target
  const row = await trx
    .updateTable('namespaces')
    .set((eb) => ({
      ...change,
      generation: eb('generation', '+', 1),
      resource_version: eb('resource_version', '+', 1),
      failures: 0,
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
