import { type SqlBool, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, notFound } from '#libs/base'
import { maxCallersOfAccount, type NexusEndpointSpec } from '#libs/domain/nexus-endpoints'
import type { Trx } from '../database.ts'

/**
 * Sees to it that the spec's namespaces are the tenant's, and stay until the transaction ends: whoever deletes one
 * meanwhile waits, and finds the endpoint then.
 * @throws AppError `not_found` that names the first one that is not there.
 */
export async function lockNamespaces(trx: Trx, tenantId: string, spec: NexusEndpointSpec): Promise<void> {
  const wanted = [...new Set([spec.targetNamespaceId, ...spec.allowedNamespaceIds])]
  const rows = await trx
    .selectFrom('namespaces')
    .select('id')
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', wanted)
    .where('state', 'not in', ['deleting', 'delete_failed', 'deleted'])
    .orderBy('id')
    .forShare()
    .execute()
  const found = new Set(rows.map(({ id }) => id))
  const missing = wanted.find((id) => !found.has(id))
  if (missing !== undefined) throw notFound('namespace', missing)
}

/**
 * To be asked after the change. Of several that ask at once at that limit, a few may pass beyond it.
 * @throws AppError `precondition` when the endpoints of the account allow more callers altogether than they may.
 */
export async function assertFewCallers(trx: Trx, tenantId: string): Promise<void> {
  const { rows } = await sql<{ callers: number }>`
    select coalesce(sum(cardinality(allowed_namespace_ids)), 0)::int as callers from nexus_endpoints
    where tenant_id = ${tenantId} and state <> 'deleted'`.execute(trx)
  if ((rows[0]?.callers ?? 0) <= maxCallersOfAccount) return
  throw new AppError(
    'precondition',
    `the nexus endpoints of the account would allow more than ${maxCallersOfAccount} callers altogether: take some out of spec.policy_specs first`,
  )
}

/** How many endpoints a refusal names. */
const named = 10

/**
 * What the deletion of a namespace means for endpoints. One that is a target cannot go: its callers would find nobody. As
 * a caller it just leaves the policies that name it. To be asked after the namespace is marked, so that nobody adds it
 * anew.
 * @returns the endpoints that changed: their reconciler has to be woken.
 * @throws AppError `precondition` that names the endpoints whose target it is.
 */
export async function releaseNamespace(trx: Trx, proof: Authorized<'namespace', 'delete'>): Promise<readonly string[]> {
  const { tenantId, namespaceId } = proof.target
  const targeting = await trx
    .selectFrom('nexus_endpoints')
    .select('name')
    .where('tenant_id', '=', tenantId)
    .where('target_namespace_id', '=', namespaceId)
    .where('state', '<>', 'deleted')
    .orderBy('name')
    .limit(named + 1)
    .execute()
  if (targeting.length > 0)
    throw isTarget(
      namespaceId,
      targeting.map(({ name }) => name),
    )
  const changed = await trx
    .updateTable('nexus_endpoints')
    .set((eb) => ({
      allowed_namespace_ids: sql<string[]>`array_remove(allowed_namespace_ids, ${namespaceId})`,
      generation: eb('generation', '+', 1),
      resource_version: eb('resource_version', '+', 1),
      state: sql<'updating'>`case when state in ('active', 'update_failed') then 'updating' else state end`,
      updated_at: new Date(),
    }))
    .where('tenant_id', '=', tenantId)
    .where('state', '<>', 'deleted')
    .where(sql<SqlBool>`${namespaceId} = any(allowed_namespace_ids)`)
    .returning('id')
    .execute()
  return changed.map(({ id }) => id)
}

function isTarget(namespaceId: string, names: readonly string[]): AppError {
  const shown = names
    .slice(0, named)
    .map((name) => JSON.stringify(name))
    .join(', ')
  const more = names.length > named ? ' and others' : ''
  return new AppError(
    'precondition',
    `namespace ${JSON.stringify(namespaceId)} is the target of the nexus endpoints ${shown}${more}: delete them, or give them another target first`,
  )
}
