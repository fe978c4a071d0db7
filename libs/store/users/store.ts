import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import type { PrincipalRole } from '#libs/domain/users'
import { noAccess, replaceAccess, withAccessTo } from '../access/index.ts'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import { takeNextVersion } from '../next-version.ts'
import { ownersOnly } from '../owners-only.ts'
import { updateAtVersion } from '../update-at-version.ts'
import type { UsersTable } from './table.ts'

export type UserRow = Selectable<UsersTable>

export interface UserFields {
  readonly email: string
  readonly accountRole: PrincipalRole
}

/**
 * Which user: the one that the proof names; or, for whoever may do a thing to any user of the tenant, the one with this
 * id there.
 */
export type UserRef<Action extends 'read' | 'update' | 'delete'> =
  | Authorized<'user', Action>
  | { readonly proof: Authorized<'account', 'provision_identities'>; readonly userId: string }

type AnyRef =
  | UserRef<'read' | 'update' | 'delete'>
  | { readonly proof: Authorized<'namespace', 'grant_user_access'>; readonly userId: string }

function unwrap(ref: AnyRef) {
  if ('userId' in ref) return { proof: ref.proof, tenantId: ref.proof.target.tenantId, userId: ref.userId }
  return { proof: ref, tenantId: ref.target.tenantId, userId: ref.target.userId }
}

/** @throws AppError `already_exists` when somebody of the tenant has the address, in any case of its letters. */
export async function createUser(
  trx: Trx,
  proof: Authorized<'account', 'create_user'> | Authorized<'account', 'provision_identities'>,
  { email, accountRole }: UserFields,
): Promise<UserRow> {
  const { rows } = await sql<UserRow>`
    insert into users (id, tenant_id, email, account_role)
    values (${newId('usr')}, ${proof.target.tenantId}, ${email}, ${accountRole})
    on conflict (tenant_id, lower(email)) where deleted_at is null do nothing
    returning *`.execute(trx)
  const row = rows[0]
  if (row === undefined) throw new AppError('already_exists', `a user with the address ${JSON.stringify(email)} exists`)
  return row
}

/** @throws AppError `not_found`; `forbidden` for an account owner whom the proof does not reach. */
export async function getUser(executor: Executor, ref: AnyRef): Promise<UserRow> {
  const { proof, tenantId, userId } = unwrap(ref)
  const row = await executor
    .selectFrom('users')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', userId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('user', userId)
  const { limit } = proof
  if (limit.kind === 'only' && limit.ownerId !== row.id) throw notFound('user', userId)
  if (limit.kind === 'not_account_owners' && (await isOwner(executor, row))) throw ownersOnly('user')
  return row
}

/** For operators, who know people by their address. @throws AppError `not_found` */
export async function findUserByEmail(
  executor: Executor,
  proof: Authorized<'tenant', 'invite_user'>,
  email: string,
): Promise<UserRow> {
  const row = await executor
    .selectFrom('users')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('deleted_at', 'is', null)
    .where(sameAddress(email))
    .executeTakeFirst()
  if (row === undefined) throw notFound('user', email)
  return row
}

/** The user behind the caller's own credentials. @throws AppError `not_found` */
export async function getOwnUser(executor: Executor, proof: Authorized<'identity', 'read'>): Promise<UserRow> {
  const row = await executor
    .selectFrom('users')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', '=', proof.actor.id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('user', proof.actor.id)
  return row
}

export interface UserPage {
  /** Exact, but for the case of letters. */
  readonly email: string | undefined
  /** Those that can do something on this namespace, by whichever way. */
  readonly namespaceId: string | undefined
  /** The last id of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

/** By id, ascending. */
export async function listUsers(
  executor: Executor,
  proof: Authorized<'user', 'list'> | Authorized<'account', 'provision_identities'>,
  page: UserPage,
): Promise<readonly UserRow[]> {
  const { tenantId } = proof.target
  let query = executor
    .selectFrom('users')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(page.limit)
  if (page.email !== undefined) query = query.where(sameAddress(page.email))
  if (page.namespaceId !== undefined) query = query.where(withAccessTo('users', tenantId, page.namespaceId))
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return query.execute()
}

function sameAddress(email: string): RawBuilder<boolean> {
  return sql<boolean>`lower(email) = lower(${email})`
}

/**
 * Changes the account role. What the user was granted stands in `replaceAccess`; call this first, since it locks the row
 * and takes the version.
 * @throws AppError `precondition` when the resource version is not the latest, or when no account owner would be left.
 */
export async function updateUser(
  trx: Trx,
  ref: UserRef<'update'>,
  accountRole: UserFields['accountRole'],
  resourceVersion: string,
): Promise<UserRow> {
  const present = await getUser(trx, ref)
  if (accountRole !== 'owner') await assertAnotherOwner(trx, present)
  return updateAtVersion(trx, 'users', 'user', present, { account_role: accountRole }, resourceVersion)
}

/**
 * Takes the next version of a user whose grants change.
 * @throws AppError `not_found`; `precondition` when the resource version is not the latest.
 */
export async function touchUser(
  trx: Trx,
  ref: { readonly proof: Authorized<'namespace', 'grant_user_access'>; readonly userId: string },
  resourceVersion: string,
): Promise<number> {
  return takeNextVersion(trx, 'users', 'user', await getUser(trx, ref), resourceVersion)
}

/**
 * Ends the user with everything that made it one: keys, grants, custom roles, memberships, open invitations.
 * @throws AppError as {@link updateUser}
 */
export async function deleteUser(trx: Trx, ref: UserRef<'delete'>, resourceVersion: string): Promise<void> {
  const present = await getUser(trx, ref)
  await assertAnotherOwner(trx, present)
  await deleteAtVersion(trx, 'users', 'user', present, resourceVersion)
  const { tenant_id: tenantId, id } = present
  await trx
    .updateTable('api_keys')
    .set({ deleted_at: sql`now()` })
    .where('tenant_id', '=', tenantId)
    .where('owner_id', '=', id)
    .where('deleted_at', 'is', null)
    .execute()
  if ('userId' in ref) await replaceAccess(trx, ref.proof, id, noAccess)
  else await replaceAccess(trx, ref, id, noAccess)
  await trx.deleteFrom('user_group_members').where('tenant_id', '=', tenantId).where('user_id', '=', id).execute()
  await trx
    .updateTable('user_invitations')
    .set({ expires_at: sql<Date>`least(expires_at, created_at)` })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', id)
    .where('accepted_at', 'is', null)
    .execute()
}

/** By its own role, or by that of a group. */
async function isOwner(executor: Executor, { id, tenant_id: tenantId, account_role: role }: UserRow): Promise<boolean> {
  if (role === 'owner') return true
  const group = await executor
    .selectFrom('user_group_members as m')
    .innerJoin('user_groups as g', 'g.id', 'm.group_id')
    .select('g.id')
    .where('m.tenant_id', '=', tenantId)
    .where('m.user_id', '=', id)
    .where('g.tenant_id', '=', tenantId)
    .where('g.account_role', '=', 'owner')
    .where('g.deleted_at', 'is', null)
    .executeTakeFirst()
  return group !== undefined
}

/**
 * Users whose own role is owner count, and nobody else: a group can be emptied or deleted by who provisions it, and would
 * leave the account with none. All of them are locked, so that of two requests that remove the last two, one waits, looks
 * again, and fails.
 */
export async function assertAnotherOwner(trx: Trx, present: UserRow): Promise<void> {
  if (present.account_role !== 'owner') return
  const owners = await trx
    .selectFrom('users')
    .select('id')
    .where('tenant_id', '=', present.tenant_id)
    .where('account_role', '=', 'owner')
    .where('deleted_at', 'is', null)
    .where('deactivated_at', 'is', null)
    .orderBy('id')
    .forUpdate()
    .execute()
  if (owners.some(({ id }) => id !== present.id)) return
  throw new AppError('precondition', 'this is the last account owner: give another user the account role owner first')
}
