import type { Trx } from './database.ts'
import { updateAtVersion, type VersionedTable } from './update-at-version.ts'

/**
 * {@link updateAtVersion} that changes nothing else yet: for changes of several tables that belong to one noun.
 * @returns the new resource version.
 */
export async function takeNextVersion(
  trx: Trx,
  table: Extract<VersionedTable, 'users' | 'user_groups' | 'service_accounts'>,
  noun: string,
  present: { readonly id: string; readonly tenant_id: string; readonly resource_version: number },
  resourceVersion: string,
): Promise<number> {
  const row = await updateAtVersion(trx, table, noun, present, {}, resourceVersion)
  return row.resource_version
}
