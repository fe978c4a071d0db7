import { Client } from 'pg'
import { type SearchAttributeType, searchAttributeColumn, searchAttributeLimits } from '#libs/domain/namespaces'
import { databaseConnection } from './database-connection.ts'
import type { CellDatabase } from './temporal-config.ts'

/** The server's own column types and expressions, of schema/postgresql/v12/visibility. */
const definitions: Readonly<
  Record<SearchAttributeType, { readonly sql: string; readonly read: (name: string) => string }>
> = {
  Bool: { sql: 'BOOLEAN', read: (name) => `(search_attributes->'${name}')::boolean` },
  Datetime: { sql: 'TIMESTAMP', read: (name) => `convert_ts(search_attributes->>'${name}')` },
  Double: { sql: 'DECIMAL(20, 5)', read: (name) => `(search_attributes->'${name}')::decimal` },
  Int: { sql: 'BIGINT', read: (name) => `(search_attributes->'${name}')::bigint` },
  Keyword: { sql: 'VARCHAR(255)', read: (name) => `search_attributes->>'${name}'` },
  KeywordList: { sql: 'JSONB', read: (name) => `search_attributes->'${name}'` },
  Text: { sql: 'TSVECTOR', read: (name) => `(search_attributes->>'${name}')::tsvector` },
}

/** Milliseconds to wait for a server that is writing: a pass that gives up comes again, one that waits stops all writing. */
const lockTimeoutMs = 3_000

/**
 * Makes `executions_visibility` have a column and an index for every search attribute that a namespace may have; the
 * server brings the first few of each type. Idempotent, and all or nothing. On a table with rows it rewrites the table
 * while nobody can use it; for a new cell it takes a fifth of a second.
 *
 * The indexes hold only rows that have a value: a hundred whole ones would each be written at every start and end of a
 * workflow, for attributes that nobody has. A query for a value, or for a range, can use them all the same.
 */
export async function widenVisibility(database: CellDatabase): Promise<void> {
  const client = new Client(databaseConnection(database, database.visibilityName))
  await client.connect()
  try {
    const present = await columnsOf(client)
    const missing = allColumns().filter(({ name }) => !present.has(name.toLowerCase()))
    if (missing.length === 0) return
    await client.query('BEGIN')
    await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
    // One statement is one rewrite of the table.
    const columns = missing.map(({ name, type }) => {
      const { sql, read } = definitions[type]
      return `ADD COLUMN ${name} ${sql} GENERATED ALWAYS AS (${read(name)}) STORED`
    })
    await client.query(`ALTER TABLE executions_visibility ${columns.join(', ')}`)
    await client.query(missing.map(({ name, type }) => indexOf(name, type)).join('; '))
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

interface Column {
  readonly name: string
  readonly type: SearchAttributeType
}

function allColumns(): readonly Column[] {
  const types = Object.keys(searchAttributeLimits) as SearchAttributeType[]
  return types.flatMap((type) =>
    Array.from({ length: searchAttributeLimits[type] }, (_, index) => ({
      name: searchAttributeColumn(type, index + 1),
      type,
    })),
  )
}

async function columnsOf(client: Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'executions_visibility'::regclass AND attnum > 0",
  )
  return new Set(rows.map(({ name }) => name))
}

/** As the server indexes its own, in the order in which it lists workflows. */
function indexOf(name: string, type: SearchAttributeType): string {
  const index = `CREATE INDEX aqueduct_by_${name.toLowerCase()} ON executions_visibility`
  const where = `WHERE ${name} IS NOT NULL`
  if (type === 'Text') return `${index} USING GIN (namespace_id, ${name}) ${where}`
  if (type === 'KeywordList') return `${index} USING GIN (namespace_id, ${name} jsonb_path_ops) ${where}`
  const order = "(COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id"
  return `${index} (namespace_id, ${name}, ${order}) ${where}`
}
