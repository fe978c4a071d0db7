import { type RawBuilder, sql } from 'kysely'
import { namespacePermissions } from '#libs/authz'

/** The strongest of a group's permissions: an aggregate over that column. */
export function strongest(permission: RawBuilder<unknown>): RawBuilder<string> {
  const order = sql`${[...namespacePermissions]}::text[]`
  return sql`(${order})[min(array_position(${order}, ${permission}))]`
}
