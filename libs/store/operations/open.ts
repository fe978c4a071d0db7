import type { Authorized } from '#libs/authz'
import { openStates } from '#libs/domain/operations'
import type { Executor } from '../database.ts'

/** The latest operation that is under way on each of these, by its id. */
export async function openOperations(
  executor: Executor,
  proof:
    | Authorized<'namespace', 'read'>
    | Authorized<'namespace', 'list'>
    | Authorized<'nexus_endpoint', 'read'>
    | Authorized<'nexus_endpoint', 'list'>,
  resourceIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (resourceIds.length === 0) return new Map()
  const rows = await executor
    .selectFrom('operations')
    .select(['id', 'resource_id'])
    .where('tenant_id', '=', proof.target.tenantId)
    .where('resource_id', 'in', [...resourceIds])
    .where('state', 'in', openStates)
    .orderBy('generation')
    .execute()
  return new Map(rows.map((row) => [row.resource_id, row.id]))
}
