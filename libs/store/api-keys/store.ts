import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import { ownersOnly } from '../owners-only.ts'
import { updateAtVersion } from '../update-at-version.ts'
import type { ApiKeysTable } from './table.ts'

export type ApiKeyRow = Selectable<ApiKeysTable>

export interface NewApiKey {
  readonly ownerKind: 'user' | 'service_account'
  readonly ownerId: string
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
  readonly expiresAt: Date
}

type AnyProof = Authorized<'api_key', 'read'> | Authorized<'api_key', 'update'> | Authorized<'api_key', 'delete'>

/**
 * @param limit how many keys that have not expired the owner may have.
 * @throws AppError `precondition` at the limit; not `exhausted`, which clients retry
 */
export async function createApiKey(
  trx: Trx,
  proof: Authorized<'user', 'create_api_key'> | Authorized<'service_account', 'create_api_key'>,
  key: NewApiKey,
  limit: number,
): Promise<ApiKeyRow> {
  const { tenantId } = proof.target
  // Two requests at the limit must not both see room.
  await sql`select pg_advisory_xact_lock(hashtext(${`api_keys ${key.ownerId}`}))`.execute(trx)
  const { count } = await trx
    .selectFrom('api_keys')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenant_id', '=', tenantId)
    .where('owner_id', '=', key.ownerId)
    .where('deleted_at', 'is', null)
    .where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow()
  if (count >= limit) {
    throw new AppError(
      'precondition',
      `the owner has ${count} API keys that have not expired, and ${limit} is the limit: delete one first`,
    )
  }
  return trx
    .insertInto('api_keys')
    .values({
      id: newId('key'),
      tenant_id: tenantId,
      owner_kind: key.ownerKind,
      owner_id: key.ownerId,
      display_name: key.displayName,
      description: key.description,
      disabled: key.disabled,
      expires_at: key.expiresAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** @throws AppError `not_found`, also for a key that the proof does not reach; `forbidden` for an account owner's. */
export async function getApiKey(executor: Executor, proof: AnyProof): Promise<ApiKeyRow> {
  const { tenantId, keyId } = proof.target
  const row = await reached(executor, proof)
    .where('tenant_id', '=', tenantId)
    .where('id', '=', keyId)
    .executeTakeFirst()
  if (row === undefined) throw notFound('api key', keyId)
  if (proof.limit.kind === 'not_account_owners' && (await isAccountOwners(executor, row))) {
    throw ownersOnly('owner of the API key')
  }
  return row
}

/** Whether whose key it is holds the account role owner, by itself or by a group. */
async function isAccountOwners(executor: Executor, { tenant_id: tenantId, owner_id: id }: ApiKeyRow): Promise<boolean> {
  const { rows } = await sql`
    select from users where tenant_id = ${tenantId} and id = ${id} and account_role = 'owner'
    union all select from service_accounts where tenant_id = ${tenantId} and id = ${id} and account_role = 'owner'
    union all select from user_group_members m join user_groups g on g.id = m.group_id and g.tenant_id = m.tenant_id
      where m.tenant_id = ${tenantId} and m.user_id = ${id} and g.account_role = 'owner' and g.deleted_at is null
    limit 1`.execute(executor)
  return rows.length > 0
}

export interface ApiKeyPage {
  readonly ownerId: string | undefined
  readonly ownerKind: 'user' | 'service_account' | undefined
  readonly after: string | undefined
  readonly limit: number
}

/** By id, ascending. */
export async function listApiKeys(
  executor: Executor,
  proof: Authorized<'api_key', 'list'>,
  page: ApiKeyPage,
): Promise<readonly ApiKeyRow[]> {
  let query = reached(executor, proof).where('tenant_id', '=', proof.target.tenantId).orderBy('id').limit(page.limit)
  if (page.ownerId !== undefined) query = query.where('owner_id', '=', page.ownerId)
  if (page.ownerKind !== undefined) query = query.where('owner_kind', '=', page.ownerKind)
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return query.execute()
}

function reached(executor: Executor, proof: AnyProof | Authorized<'api_key', 'list'>) {
  const query = executor.selectFrom('api_keys').selectAll().where('deleted_at', 'is', null)
  const { limit } = proof
  if (limit.kind !== 'only') return query
  return query.where((eb) =>
    eb.or([
      eb('owner_id', '=', limit.ownerId ?? ''),
      eb(
        'owner_id',
        'in',
        eb
          .selectFrom('service_accounts')
          .select('service_accounts.id')
          .where('service_accounts.tenant_id', '=', proof.target.tenantId)
          .where('service_accounts.deleted_at', 'is', null)
          .where('scoped_namespace_id', 'in', [...limit.namespaceIds, '']),
      ),
    ]),
  )
}

export interface ApiKeyChange {
  readonly displayName: string
  readonly description: string
  readonly disabled: boolean
}

/** @throws AppError `precondition` when the resource version is not the latest. */
export async function updateApiKey(
  trx: Trx,
  proof: Authorized<'api_key', 'update'>,
  change: ApiKeyChange,
  resourceVersion: string,
): Promise<ApiKeyRow> {
  const present = await getApiKey(trx, proof)
  const { displayName, description, disabled } = change
  const columns = { display_name: displayName, description, disabled }
  return updateAtVersion(trx, 'api_keys', 'API key', present, columns, resourceVersion)
}

/** Revokes the key, here at once and at the edge within seconds. @throws AppError as {@link updateApiKey} */
export async function deleteApiKey(
  trx: Trx,
  proof: Authorized<'api_key', 'delete'>,
  resourceVersion: string,
): Promise<void> {
  const present = await getApiKey(trx, proof)
  await deleteAtVersion(trx, 'api_keys', 'API key', present, resourceVersion)
}
