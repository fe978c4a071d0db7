import { sql } from 'kysely'
import type { Trx } from './database.ts'
import { staleVersion } from './stale-version.ts'

/** Nouns whose deleted rows stay as tombstones. */
type TombstoneTable = 'api_keys' | 'connectivity_rules' | 'custom_roles' | 'service_accounts' | 'users' | 'user_groups'

/**
 * Deletes a living row by compare-and-set on the caller's resource version.
 * @param noun as it is called in the error.
 * @throws AppError `precondition` when the resource version is not the latest.
 */
export async function deleteAtVersion(
  trx: Trx,
  table: TombstoneTable,
  noun: string,
  present: { readonly id: string; readonly tenant_id: string; readonly resource_version: number },
  resourceVersion: string,
): Promise<void> {
  const { rows } = await sql`
    update ${sql.table(table)} set deleted_at = ${new Date()}
    where tenant_id = ${present.tenant_id} and id = ${present.id} and deleted_at is null
      and resource_version::text = ${resourceVersion}
    returning id`.execute(trx)
  if (rows.length === 0) throw staleVersion(noun, resourceVersion, present.resource_version)
}
