import type { Selectable } from 'kysely'
import type { Authorized } from '#libs/authz'
import { notFound } from '#libs/base'
import type { PaceOverrides, TenantState } from '#libs/domain/tenants'
import type { Executor, Trx } from '../database.ts'
import { staleVersion } from '../stale-version.ts'
import type { TenantsTable } from './table.ts'

export type TenantRow = Selectable<TenantsTable>

/** @throws AppError `not_found` */
export async function getTenant(
  executor: Executor,
  proof:
    | Authorized<'tenant', 'read'>
    | Authorized<'tenant', 'update'>
    | Authorized<'tenant', 'update_limits'>
    | Authorized<'tenant', 'create_certificate'>
    | Authorized<'account', 'read'>
    | Authorized<'account', 'update'>,
): Promise<TenantRow> {
  const { tenantId } = proof.target
  const row = await executor.selectFrom('tenants').selectAll().where('id', '=', tenantId).executeTakeFirst()
  if (row === undefined) throw notFound('tenant', tenantId)
  return row
}

/** By id, ascending. */
export async function listTenants(
  executor: Executor,
  _proof: Authorized<'tenant', 'list'>,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly TenantRow[]> {
  return executor
    .selectFrom('tenants')
    .selectAll()
    .where('id', '>', page.after)
    .orderBy('id')
    .limit(page.limit)
    .execute()
}

/**
 * Suspends or resumes. The API refuses a suspended tenant's next call, its edges within seconds; nothing of it is
 * deleted. Saying it twice changes nothing.
 */
export async function setTenantState(
  trx: Trx,
  proof: Authorized<'tenant', 'update'>,
  state: TenantState,
  reason: string,
): Promise<TenantRow> {
  const row = await trx
    .updateTable('tenants')
    .set((eb) => ({
      state,
      state_reason: reason,
      resource_version: eb('resource_version', '+', 1),
      updated_at: new Date(),
    }))
    .where('id', '=', proof.target.tenantId)
    .where('state', '<>', state)
    .returningAll()
    .executeTakeFirst()
  return row ?? getTenant(trx, proof)
}

/** Replaces what is set for a tenant; whatever is left out is as by default. Replicas of the API follow within two seconds. */
export async function setTenantLimits(
  trx: Trx,
  proof: Authorized<'tenant', 'update_limits'>,
  limits: PaceOverrides,
): Promise<TenantRow> {
  const row = await trx
    .updateTable('tenants')
    .set((eb) => ({
      limits: JSON.stringify(limits),
      resource_version: eb('resource_version', '+', 1),
      updated_at: new Date(),
    }))
    .where('id', '=', proof.target.tenantId)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw notFound('tenant', proof.target.tenantId)
  return row
}

/**
 * Whose clients may read the account's metrics: PEM, byte for byte; empty turns metrics off.
 * @throws AppError `precondition` when the resource version is not the latest.
 */
export async function setMetricsClientCa(
  trx: Trx,
  proof: Authorized<'account', 'update'>,
  pem: string,
  resourceVersion: string,
): Promise<TenantRow> {
  const row = await trx
    .updateTable('tenants')
    .set((eb) => ({ metrics_client_ca: pem, resource_version: eb('resource_version', '+', 1), updated_at: new Date() }))
    .where('id', '=', proof.target.tenantId)
    .where((eb) => eb(eb.cast<string>('resource_version', 'text'), '=', resourceVersion))
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  throw staleVersion('account', resourceVersion, (await getTenant(trx, proof)).resource_version)
}
