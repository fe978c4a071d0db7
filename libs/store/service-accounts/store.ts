import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Authorized, Limit } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import { noAccess, replaceAccess } from '../access/index.ts'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import { assertNameFree, nameTaken } from '../name-free.ts'
import { takeNextVersion } from '../next-version.ts'
import { ownersOnly } from '../owners-only.ts'
import { updateAtVersion } from '../update-at-version.ts'
import type { ServiceAccountsTable } from './table.ts'

export type ServiceAccountRow = Selectable<ServiceAccountsTable>

export interface ServiceAccountFields {
  readonly name: string
  readonly description: string
  readonly accountRole: string
  readonly scopedNamespaceId: string | null
}

type AnyProof =
  | Authorized<'service_account', 'read'>
  | Authorized<'service_account', 'update'>
  | Authorized<'service_account', 'delete'>
  | Authorized<'service_account', 'create_api_key'>

type GrantRef = {
  readonly proof: Authorized<'namespace', 'grant_service_account_access'>
  readonly serviceAccountId: string
}

/** @throws AppError `already_exists` when the name is taken among the living. */
export async function createServiceAccount(
  trx: Trx,
  proof: Authorized<'account', 'create_service_account'> | Authorized<'namespace', 'create_service_account'>,
  fields: ServiceAccountFields,
): Promise<ServiceAccountRow> {
  const row = await trx
    .insertInto('service_accounts')
    .values({ id: newId('sa'), tenant_id: proof.target.tenantId, ...columns(fields) })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).where('deleted_at', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw nameTaken('service account', fields.name)
  return row
}

/** @throws AppError `not_found`, also for one that the proof does not reach; `forbidden` for an account owner. */
export async function getServiceAccount(executor: Executor, ref: AnyProof | GrantRef): Promise<ServiceAccountRow> {
  const { tenantId, serviceAccountId } =
    'proof' in ref ? { ...ref.proof.target, serviceAccountId: ref.serviceAccountId } : ref.target
  const row = await executor
    .selectFrom('service_accounts')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', serviceAccountId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  const { limit } = 'proof' in ref ? ref.proof : ref
  if (row === undefined || !isReached(row, limit)) throw notFound('service account', serviceAccountId)
  if (limit.kind === 'not_account_owners' && row.account_role === 'owner') throw ownersOnly('service account')
  return row
}

function isReached(row: ServiceAccountRow, limit: Limit): boolean {
  if (limit.kind !== 'only') return true
  const { scoped_namespace_id: namespaceId } = row
  return row.id === limit.ownerId || (namespaceId !== null && limit.namespaceIds.has(namespaceId))
}

/**
 * Takes the next version of an account whose grants change.
 * @throws AppError `not_found`; `precondition` when the resource version is not the latest.
 */
export async function touchServiceAccount(trx: Trx, ref: GrantRef, resourceVersion: string): Promise<number> {
  const present = await getServiceAccount(trx, ref)
  return takeNextVersion(trx, 'service_accounts', 'service account', present, resourceVersion)
}

/** The service account behind the caller's own credentials. @throws AppError `not_found` */
export async function getOwnServiceAccount(
  executor: Executor,
  proof: Authorized<'identity', 'read'>,
): Promise<ServiceAccountRow> {
  const row = await executor
    .selectFrom('service_accounts')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', '=', proof.actor.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('service account', proof.actor.id)
  return row
}

/** By id, ascending. */
export async function listServiceAccounts(
  executor: Executor,
  proof: Authorized<'service_account', 'list'>,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly ServiceAccountRow[]> {
  let query = executor
    .selectFrom('service_accounts')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(page.limit)
  if (proof.limit.kind === 'only') {
    const { ownerId, namespaceIds } = proof.limit
    query = query.where((eb) =>
      eb.or([eb('id', '=', ownerId ?? ''), eb('scoped_namespace_id', 'in', [...namespaceIds, ''])]),
    )
  }
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return query.execute()
}

/** @throws AppError `precondition` when the resource version is not the latest; `already_exists` for a taken name. */
export async function updateServiceAccount(
  trx: Trx,
  proof: Authorized<'service_account', 'update'>,
  fields: ServiceAccountFields,
  resourceVersion: string,
): Promise<ServiceAccountRow> {
  const present = await getServiceAccount(trx, proof)
  await assertNameFree(trx, 'service_accounts', 'service account', present, fields.name)
  return updateAtVersion(trx, 'service_accounts', 'service account', present, columns(fields), resourceVersion)
}

/** Takes its keys, grants and custom roles along. @throws AppError as {@link updateServiceAccount} */
export async function deleteServiceAccount(
  trx: Trx,
  proof: Authorized<'service_account', 'delete'>,
  resourceVersion: string,
): Promise<void> {
  const present = await getServiceAccount(trx, proof)
  await deleteAtVersion(trx, 'service_accounts', 'service account', present, resourceVersion)
  await trx
    .updateTable('api_keys')
    .set({ deleted_at: sql`now()` })
    .where('tenant_id', '=', present.tenant_id)
    .where('owner_id', '=', present.id)
    .where('deleted_at', 'is', null)
    .execute()
  await replaceAccess(trx, proof, present.id, noAccess)
}

function columns(fields: ServiceAccountFields) {
  return {
    name: fields.name,
    description: fields.description,
    account_role: fields.accountRole,
    scoped_namespace_id: fields.scopedNamespaceId,
  }
}
