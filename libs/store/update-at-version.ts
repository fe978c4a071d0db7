import { type Selectable, sql, type Updateable } from 'kysely'
import type { Trx } from './database.ts'
import type { Schema } from './schema.ts'
import { staleVersion } from './stale-version.ts'

/** Nouns that settle at once, and whose deleted rows stay as tombstones. */
export type VersionedTable = 'api_keys' | 'custom_roles' | 'service_accounts' | 'users' | 'user_groups'

/**
 * Changes a living row by compare-and-set on the caller's resource version, moves it on to the next one, and locks it until
 * the transaction ends.
 * @param noun as it is called in the error.
 * @returns the row as it is then.
 * @throws AppError `precondition` when the caller's resource version is not the latest.
 */
export async function updateAtVersion<Table extends VersionedTable>(
  trx: Trx,
  table: Table,
  noun: string,
  present: { readonly id: string; readonly tenant_id: string; readonly resource_version: number },
  change: Updateable<Schema[Table]>,
  resourceVersion: string,
): Promise<Selectable<Schema[Table]>> {
  const columns = Object.entries(change).map(([column, value]) => sql`${sql.ref(column)} = ${value}`)
  const { rows } = await sql<Selectable<Schema[Table]>>`
    update ${sql.table(table)}
    set ${sql.join([...columns, sql`resource_version = resource_version + 1`, sql`updated_at = ${new Date()}`])}
    where tenant_id = ${present.tenant_id} and id = ${present.id} and deleted_at is null
      and resource_version::text = ${resourceVersion}
    returning *`.execute(trx)
  const row = rows[0]
  if (row === undefined) throw staleVersion(noun, resourceVersion, present.resource_version)
  return row
}
