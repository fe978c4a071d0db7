import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, notFound } from '#libs/base'
import type { UserGroupSpec } from '#libs/domain/user-groups'
import { noAccess, replaceAccess, withAccessTo } from '../access/index.ts'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import { takeNextVersion } from '../next-version.ts'
import { ownersOnly } from '../owners-only.ts'
import type { UserGroupsTable } from './table.ts'

export type UserGroupRow = Selectable<UserGroupsTable>

/** The columns of a group; what it is granted stands in `replaceAccess`. */
export interface UserGroupFields {
  readonly displayName: string
  readonly source: UserGroupSpec['source']
  readonly accountRole: UserGroupSpec['access']['accountRole']
}

type GroupAction = 'read' | 'read_members' | 'update' | 'add_member' | 'remove_member' | 'delete'

/** Which group: the one that the proof names; or, for whoever may do a thing to any, the one with this id. */
export type UserGroupRef<Action extends GroupAction> =
  | Authorized<'user_group', Action>
  | { readonly proof: Authorized<'account', 'provision_identities'>; readonly groupId: string }

export type AnyUserGroupRef =
  | UserGroupRef<GroupAction>
  | { readonly proof: Authorized<'namespace', 'grant_user_group_access'>; readonly groupId: string }

function unwrap(ref: AnyUserGroupRef) {
  if ('groupId' in ref) return { proof: ref.proof, tenantId: ref.proof.target.tenantId, groupId: ref.groupId }
  return { proof: ref, tenantId: ref.target.tenantId, groupId: ref.target.groupId }
}

/** @throws AppError `already_exists` when another group has the name, the Google address or the identity provider's id. */
export async function createUserGroup(
  trx: Trx,
  proof: Authorized<'account', 'create_user_group'> | Authorized<'account', 'provision_identities'>,
  fields: UserGroupFields,
): Promise<UserGroupRow> {
  const { tenantId } = proof.target
  const { source } = fields
  const { rows } = await sql<UserGroupRow>`
    insert into user_groups (id, tenant_id, kind, display_name, google_email, scim_idp_id, account_role)
    values (${newId('grp')}, ${tenantId}, ${source.kind}, ${fields.displayName},
      ${source.kind === 'google' ? source.emailAddress : null}, ${source.kind === 'scim' ? source.idpId : null},
      ${fields.accountRole})
    on conflict do nothing
    returning *`.execute(trx)
  const row = rows[0]
  if (row === undefined) throw taken(fields)
  return row
}

/** @throws AppError `not_found`; `forbidden` for a group of owners that the proof does not reach. */
export async function getUserGroup(executor: Executor, ref: AnyUserGroupRef): Promise<UserGroupRow> {
  const { proof, tenantId, groupId } = unwrap(ref)
  const row = await executor
    .selectFrom('user_groups')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', groupId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined || proof.limit.kind === 'only') throw notFound('user group', groupId)
  if (proof.limit.kind === 'not_account_owners' && row.account_role === 'owner') throw ownersOnly('user group')
  return row
}

export interface UserGroupPage {
  /** Exact. */
  readonly displayName: string | undefined
  /** Exact, but for the case of letters. */
  readonly googleEmail: string | undefined
  /** Exact. */
  readonly scimIdpId: string | undefined
  /** Those that can do something on this namespace. */
  readonly namespaceId: string | undefined
  /** The last display name of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

/** By display name, ascending. */
export async function listUserGroups(
  executor: Executor,
  proof: Authorized<'user_group', 'list'> | Authorized<'account', 'provision_identities'>,
  page: UserGroupPage,
): Promise<readonly UserGroupRow[]> {
  const { tenantId } = proof.target
  let query = executor
    .selectFrom('user_groups')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('deleted_at', 'is', null)
    .orderBy('display_name')
    .limit(page.limit)
  if (page.displayName !== undefined) query = query.where('display_name', '=', page.displayName)
  if (page.googleEmail !== undefined) query = query.where(sameAddress(page.googleEmail))
  if (page.scimIdpId !== undefined) query = query.where('scim_idp_id', '=', page.scimIdpId)
  if (page.namespaceId !== undefined) query = query.where(withAccessTo('user_groups', tenantId, page.namespaceId))
  if (page.after !== undefined) query = query.where('display_name', '>', page.after)
  return query.execute()
}

function sameAddress(email: string): RawBuilder<boolean> {
  return sql<boolean>`lower(google_email) = lower(${email})`
}

/**
 * Changes all but the kind. What the group is granted stands in `replaceAccess`; call this first, since it locks the row
 * and takes the version.
 * @throws AppError `precondition` when the resource version is not the latest; `already_exists` as
 * {@link createUserGroup}
 */
export async function updateUserGroup(
  trx: Trx,
  ref: UserGroupRef<'update'>,
  fields: UserGroupFields,
  resourceVersion: string,
): Promise<UserGroupRow> {
  const present = await getUserGroup(trx, ref)
  await takeNextVersion(trx, 'user_groups', 'user group', present, resourceVersion)
  const { source } = fields
  const googleEmail = source.kind === 'google' ? source.emailAddress : null
  const scimIdpId = source.kind === 'scim' ? source.idpId : null
  const { rows } = await sql<UserGroupRow>`
    update user_groups g set display_name = ${fields.displayName}, account_role = ${fields.accountRole},
      google_email = ${googleEmail}, scim_idp_id = ${scimIdpId}
    where tenant_id = ${present.tenant_id} and id = ${present.id}
      and not exists (select from user_groups o where o.tenant_id = g.tenant_id and o.id <> g.id and o.deleted_at is null
        and (o.display_name = ${fields.displayName} or lower(o.google_email) = lower(${googleEmail})
          or o.scim_idp_id = ${scimIdpId}))
    returning *`.execute(trx)
  const row = rows[0]
  if (row === undefined) throw taken(fields)
  return row
}

/**
 * Takes the next version of a group whose grants change.
 * @throws AppError `not_found`; `precondition` when the resource version is not the latest.
 */
export async function touchUserGroup(
  trx: Trx,
  ref: { readonly proof: Authorized<'namespace', 'grant_user_group_access'>; readonly groupId: string },
  resourceVersion: string,
): Promise<number> {
  return takeNextVersion(trx, 'user_groups', 'user group', await getUserGroup(trx, ref), resourceVersion)
}

/** Takes its members, grants and custom roles along; the members themselves stay. @throws AppError as {@link updateUserGroup} */
export async function deleteUserGroup(trx: Trx, ref: UserGroupRef<'delete'>, resourceVersion: string): Promise<void> {
  const present = await getUserGroup(trx, ref)
  await deleteAtVersion(trx, 'user_groups', 'user group', present, resourceVersion)
  if ('groupId' in ref) await replaceAccess(trx, ref.proof, present.id, noAccess)
  else await replaceAccess(trx, ref, present.id, noAccess)
  await trx
    .deleteFrom('user_group_members')
    .where('tenant_id', '=', present.tenant_id)
    .where('group_id', '=', present.id)
    .execute()
}

function taken({ displayName }: UserGroupFields): AppError {
  return new AppError(
    'already_exists',
    `a user group named ${JSON.stringify(displayName)} exists, or one from the same source`,
  )
}
