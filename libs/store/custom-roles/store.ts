import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import type { CustomPermission, CustomRoleSpec } from '#libs/domain/custom-roles'
import type { Executor, Trx } from '../database.ts'
import { deleteAtVersion } from '../delete-at-version.ts'
import { assertNameFree, nameTaken } from '../name-free.ts'
import { updateAtVersion } from '../update-at-version.ts'
import type { CustomRolesTable } from './table.ts'

export type CustomRoleRow = Selectable<CustomRolesTable>

type OneRole =
  | Authorized<'custom_role', 'read'>
  | Authorized<'custom_role', 'update'>
  | Authorized<'custom_role', 'delete'>

/**
 * @throws AppError `already_exists` when the name is taken among the living; `not_found` for a namespace that the tenant
 * does not have.
 */
export async function createCustomRole(
  trx: Trx,
  proof: Authorized<'account', 'create_custom_role'>,
  spec: CustomRoleSpec,
): Promise<CustomRoleRow> {
  const { tenantId } = proof.target
  await assertNamespaces(trx, tenantId, namespacesIn(spec.permissions))
  const row = await trx
    .insertInto('custom_roles')
    .values({ id: newId('role'), tenant_id: tenantId, ...columns(spec) })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).where('deleted_at', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw nameTaken('custom role', spec.name)
  return row
}

/** @throws AppError `not_found` */
export async function getCustomRole(executor: Executor, proof: OneRole): Promise<CustomRoleRow> {
  const { tenantId, roleId } = proof.target
  const row = await executor
    .selectFrom('custom_roles')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', roleId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (row === undefined) throw notFound('custom role', roleId)
  return row
}

/** By id, ascending. */
export async function listCustomRoles(
  executor: Executor,
  proof: Authorized<'custom_role', 'list'>,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly CustomRoleRow[]> {
  let query = executor
    .selectFrom('custom_roles')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(page.limit)
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return query.execute()
}

/**
 * Acts at the next call of whoever holds the role. Namespaces that the role named before may be gone by now.
 * @throws AppError as {@link createCustomRole}; `precondition` when the resource version is not the latest.
 */
export async function updateCustomRole(
  trx: Trx,
  proof: Authorized<'custom_role', 'update'>,
  spec: CustomRoleSpec,
  resourceVersion: string,
): Promise<CustomRoleRow> {
  const present = await getCustomRole(trx, proof)
  const known = new Set(namespacesIn(present.permissions))
  await assertNamespaces(
    trx,
    present.tenant_id,
    namespacesIn(spec.permissions).filter((id) => !known.has(id)),
  )
  await assertNameFree(trx, 'custom_roles', 'custom role', present, spec.name)
  return updateAtVersion(trx, 'custom_roles', 'custom role', present, columns(spec), resourceVersion)
}

/** Takes it from everybody who holds it. @throws AppError as {@link updateCustomRole} */
export async function deleteCustomRole(
  trx: Trx,
  proof: Authorized<'custom_role', 'delete'>,
  resourceVersion: string,
): Promise<void> {
  const present = await getCustomRole(trx, proof)
  // First the row: who is being given the role meanwhile has locked it, and is waited for.
  await deleteAtVersion(trx, 'custom_roles', 'custom role', present, resourceVersion)
  await trx
    .deleteFrom('principal_custom_roles')
    .where('tenant_id', '=', present.tenant_id)
    .where('role_id', '=', present.id)
    .execute()
}

/** What these roles of the proof's tenant give together; one that is not there gives nothing. */
export async function customPermissionsOf(
  executor: Executor,
  proof: Authorized<'identity', 'read'>,
  roleIds: readonly string[],
): Promise<readonly CustomPermission[]> {
  if (roleIds.length === 0) return []
  const rows = await executor
    .selectFrom('custom_roles')
    .select('permissions')
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', 'in', [...roleIds])
    .where('deleted_at', 'is', null)
    .execute()
  return rows.flatMap((row) => row.permissions)
}

function columns({ name, description, permissions }: CustomRoleSpec) {
  return { name, description, permissions: JSON.stringify(permissions) }
}

function namespacesIn(permissions: readonly CustomPermission[]): readonly string[] {
  const named = permissions.filter(({ resourceType }) => resourceType === 'namespace')
  return [...new Set(named.flatMap(({ resourceIds }) => resourceIds))]
}

async function assertNamespaces(trx: Trx, tenantId: string, ids: readonly string[]): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select wanted.id from unnest(${[...ids]}::text[]) as wanted (id)
    where not exists (select from namespaces n
      where n.tenant_id = ${tenantId} and n.id = wanted.id and n.state not in ('deleting', 'deleted'))
    limit 1`.execute(trx)
  const missing = rows[0]
  if (missing !== undefined) throw notFound('namespace', missing.id)
}
