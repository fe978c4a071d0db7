import type { Client } from 'pg'

/** A table that says whose its rows are. */
export interface OwnedTable {
  readonly name: string
  readonly columns: readonly Column[]
}

interface Column {
  readonly name: string
  readonly type: string
  /** Postgres fills it by itself, or it may be null. */
  readonly optional: boolean
}

/** Every table with a column `tenant_id`, from the catalog: a new one cannot be forgotten. */
export async function ownedTables(admin: Client): Promise<readonly OwnedTable[]> {
  const { rows } = await admin.query<{ table: string; name: string; type: string; optional: boolean }>(`
    select c.table_name as table, c.column_name as name, c.data_type as type,
      c.is_nullable = 'YES' or c.column_default is not null or c.is_identity = 'YES' or c.is_generated <> 'NEVER' as optional
    from information_schema.columns c
    where c.table_schema = 'public' and exists (select from information_schema.columns t
      where t.table_schema = 'public' and t.table_name = c.table_name and t.column_name = 'tenant_id')
    order by c.table_name, c.ordinal_position`)
  return [...Map.groupBy(rows, (row) => row.table)].map(([name, columns]) => ({ name, columns }))
}

/** Where a check constraint wants something in particular; `$` stands for the tenant. */
const particular: Readonly<Record<string, string>> = {
  'api_keys.owner_kind': 'user',
  'certificate_authorities.purpose': 'tenant',
  'certificates.purpose': 'tenant_client',
  'connectivity_rules.kind': 'public',
  'namespaces.id': 'x.$',
  'namespaces.name': 'x',
  'namespace_grants.permission': 'read',
  'operations.state': 'pending',
  'user_groups.kind': 'cloud',
}

/**
 * Writes one row of the tenant into each table, past all triggers and foreign keys.
 * @throws Error that names a table whose row has to be described here.
 */
export async function writeSampleRows(admin: Client, tables: readonly OwnedTable[], tenantId: string): Promise<void> {
  await admin.query("set session_replication_role = 'replica'")
  for (const { name, columns } of tables) {
    const filled = columns.filter((column) => !column.optional || column.name === 'tenant_id')
    const values = filled.map((column) => sample(name, column, tenantId))
    const places = filled.map((_, index) => `$${index + 1}`)
    const names = filled.map((column) => column.name)
    await admin
      .query(`insert into ${name} (${names.join(', ')}) values (${places.join(', ')})`, values)
      .catch((thrown: Error) => {
        throw new Error(`describe a row of ${name} in sample-rows.ts: ${thrown.message}`)
      })
  }
  await admin.query("set session_replication_role = 'origin'")
}

export function sample(table: string, { name, type }: Column, tenantId: string): unknown {
  if (name === 'tenant_id') return tenantId
  const chosen = particular[`${table}.${name}`]
  if (chosen !== undefined) return chosen.replace('$', tenantId)
  switch (type) {
    case 'text':
      return `${name}-${tenantId}`
    case 'jsonb':
      return '{}'
    case 'bytea':
      return Buffer.from(`${name}-${tenantId}`)
    case 'ARRAY':
      return []
    case 'boolean':
      return false
    case 'timestamp with time zone':
      return new Date()
    default:
      return 1
  }
}
