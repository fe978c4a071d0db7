import { sql } from 'kysely'
import type { Trx } from './database.ts'
import { staleVersion } from './stale-version.ts'

/**
 * Moves a living row on to its next resource version by compare-and-set on the caller's, and locks it until the
 * transaction ends: for changes of several tables that belong to one noun. Write the other columns afterwards.
 * @param noun as it is called in the error.
 * @returns the new resource version.
 * @throws AppError `precondition` when the caller's resource version is not the latest.
 */
export async function takeNextVersion(
  trx: Trx,
  table: 'users' | 'user_groups' | 'service_accounts',
  noun: string,
  present: { readonly id: string; readonly tenant_id: string; readonly resource_version: number },
  resourceVersion: string,
): Promise<number> {
  const { rows } = await sql<{ resource_version: number }>`
    update ${sql.table(table)} set resource_version = resource_version + 1, updated_at = ${new Date()}
    where tenant_id = ${present.tenant_id} and id = ${present.id} and deleted_at is null
      and resource_version::text = ${resourceVersion}
    returning resource_version`.execute(trx)
  const row = rows[0]
  if (row === undefined) throw staleVersion(noun, resourceVersion, present.resource_version)
  return row.resource_version
}
