import type { Authorized } from '#libs/authz'
import { type Reach, reachOf } from '#libs/domain/connectivity-rules'
import type { Executor, Trx } from '../database.ts'
import { type ConnectivityRuleRow, connectivityRuleSpecOf } from './store.ts'

/**
 * Those of the ids that the tenant has, for a namespace that is about to name them. They cannot be deleted before the
 * transaction ends.
 */
export async function lockConnectivityRules(
  trx: Trx,
  proof: Authorized<'account', 'create_namespace'> | Authorized<'namespace', 'update'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ConnectivityRuleRow>> {
  if (ids.length === 0) return new Map()
  const rows = await trx
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', 'in', [...ids])
    .where('deleted_at', 'is', null)
    // In one order, so that two who attach and delete the same ones do not wait for each other.
    .orderBy('id')
    .forShare()
    .execute()
  return byId(rows)
}

/** Those of the ids that the tenant of the proof has: what a namespace's answer shows. */
export async function findConnectivityRules(
  executor: Executor,
  proof: Authorized<'namespace', 'read'> | Authorized<'namespace', 'list'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ConnectivityRuleRow>> {
  if (ids.length === 0) return new Map()
  const rows = await executor
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('id', 'in', [...new Set(ids)])
    .where('deleted_at', 'is', null)
    .execute()
  return byId(rows)
}

/** How the namespace is to be reached; undefined while it names no rule, or is not there. */
export async function readReach(
  executor: Executor,
  proof: Authorized<'namespace', 'update'>,
): Promise<Reach | undefined> {
  const { tenantId, namespaceId } = proof.target
  const namespace = await executor
    .selectFrom('namespaces')
    .select('spec')
    .where('tenant_id', '=', tenantId)
    .where('id', '=', namespaceId)
    .executeTakeFirst()
  const ids = namespace?.spec.connectivityRuleIds ?? []
  if (ids.length === 0) return undefined
  const rows = await executor
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', [...ids])
    .where('deleted_at', 'is', null)
    .execute()
  return reachOf(ids, rows.map(connectivityRuleSpecOf))
}

function byId(rows: readonly ConnectivityRuleRow[]): ReadonlyMap<string, ConnectivityRuleRow> {
  return new Map(rows.map((row) => [row.id, row]))
}
