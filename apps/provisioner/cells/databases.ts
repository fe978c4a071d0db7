import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Client, escapeIdentifier, escapeLiteral } from 'pg'
import { databaseConnection, serverCaFile } from './database-connection.ts'
import { mark, readMarks, refuseOthers } from './database-marks.ts'
import type { CellDatabase } from './temporal-config.ts'
import { widenVisibility } from './visibility-columns.ts'

/**
 * A cell's databases on one Postgres server. `pg` is used here and not in `libs/store`, since none of it is the
 * product's own data: it is the making of a part of a cell, as starting a node is.
 */
export interface CellDatabasesOptions {
  /** Connects as somebody who may make roles and databases. Cells connect to its host and port. */
  readonly adminUrl: string
  /** Absolute path of temporal-sql-tool, of the same version as the server. */
  readonly sqlTool: string
  /** Whose they are: what another installation made on the same server is neither changed nor dropped. */
  readonly installation: string
}

const schemas = { temporal: 'postgresql/v12/temporal', visibility: 'postgresql/v12/visibility' } as const
const toolTimeoutMs = 120_000
/**
 * Connections of one cell. Its nodes hold 220 at most, one extra node included (`maxConnections` in temporal-config.ts): a
 * node that was taken over has the cell's password, and must not be able to take the server from the other cells.
 */
const connectionLimit = 300
const run = promisify(execFile)

/** Names of a cell's role and databases: the cell's id and nothing else decides them. */
export function cellDatabase(adminUrl: string, cellId: string, password: string): CellDatabase {
  const { hostname, port } = new URL(adminUrl)
  const name = databaseName(cellId)
  const caFile = serverCaFile(adminUrl)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 5432 : Number(port),
    user: name,
    password,
    name,
    visibilityName: `${name}_visibility`,
    ...(caFile !== undefined && { caFile }),
  }
}

/**
 * Makes the cell's role and databases be there, with this password, the current schema and Cloud's number of columns for
 * search attributes. Idempotent; after a crash
 * at any point the same call finishes the work. Takes about a second the first time.
 */
export async function createCellDatabases(
  options: CellDatabasesOptions,
  cellId: string,
  password: string,
): Promise<CellDatabase> {
  const database = cellDatabase(options.adminUrl, cellId, password)
  await asAdmin(options.adminUrl, cellId, async (client) => {
    await refuseOthers(client, database.name, options.installation)
    await makeRole(client, database, options.installation)
    for (const name of [database.name, database.visibilityName]) {
      await makeDatabase(client, name, database.user)
      await mark(client, { kind: 'database', name }, options.installation)
    }
    await applySchema(options.sqlTool, database, database.name, schemas.temporal)
    await applySchema(options.sqlTool, database, database.visibilityName, schemas.visibility)
    await widenVisibility(database)
  })
  return database
}

/**
 * Drops what `createCellDatabases` made, with every connection to it. No error when there is nothing.
 * @param isWanted asked under the cell's lock, right before: nothing is dropped when it says yes.
 */
export async function dropCellDatabases(
  options: Omit<CellDatabasesOptions, 'sqlTool'>,
  cellId: string,
  isWanted: () => Promise<boolean> = async () => false,
): Promise<void> {
  const { user, name, visibilityName } = cellDatabase(options.adminUrl, cellId, '')
  await asAdmin(options.adminUrl, cellId, async (client) => {
    await refuseOthers(client, name, options.installation)
    if (await isWanted()) return
    for (const database of [visibilityName, name]) {
      await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(database)} WITH (FORCE)`)
    }
    await client.query(`DROP ROLE IF EXISTS ${escapeIdentifier(user)}`)
  })
}

/** Says of a cell's role and databases whose they are, where nobody said: those of older versions. */
export async function markCellDatabases(options: Omit<CellDatabasesOptions, 'sqlTool'>, cellId: string): Promise<void> {
  await asAdmin(options.adminUrl, cellId, async (client) => {
    const name = databaseName(cellId)
    await refuseOthers(client, name, options.installation)
    for (const object of await readMarks(client, name)) await mark(client, object, options.installation)
  })
}

/** Runs `work` with a connection that holds the cell's lock: two provisioners must not make one database at once. */
async function asAdmin(adminUrl: string, cellId: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`aqueduct databases of ${cellId}`])
    await work(client)
  } finally {
    // The lock goes with the connection.
    await client.end()
  }
}

async function makeRole(client: Client, database: CellDatabase, installation: string): Promise<void> {
  const role = escapeIdentifier(database.user)
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [database.user])
  // Together: a process that dies in between must not leave a role behind that is nobody's.
  await client.query('BEGIN')
  if (rowCount === 0) await client.query(`CREATE ROLE ${role}`)
  await mark(client, { kind: 'role', name: database.user }, installation)
  await client.query('COMMIT')
  await client.query(
    `ALTER ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT CONNECTION LIMIT ${connectionLimit} PASSWORD ${escapeLiteral(database.password)}`,
  )
  // An admin who is no superuser may make a database for a role only as a member of it.
  await client.query(`GRANT ${role} TO CURRENT_USER`)
}

async function makeDatabase(client: Client, name: string, owner: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
  if (rowCount === 0) {
    await client.query(
      `CREATE DATABASE ${escapeIdentifier(name)} OWNER ${escapeIdentifier(owner)} TEMPLATE template0 ENCODING 'UTF8'`,
    )
  }
  // By default everybody may connect to every database: other cells' roles must not get in here.
  await client.query(`REVOKE ALL ON DATABASE ${escapeIdentifier(name)} FROM PUBLIC`)
}

/** Both commands of the tool take up what an interrupted run of theirs left. */
async function applySchema(tool: string, database: CellDatabase, name: string, schema: string): Promise<void> {
  // Set up again, the tool would set the version back to 0.0.
  if ((await schemaVersion(database, name)) === undefined) {
    await sqlTool(tool, database, name, ['setup-schema', '--version', '0.0'])
  }
  await sqlTool(tool, database, name, ['update-schema', '--schema-name', schema])
}

async function sqlTool(tool: string, database: CellDatabase, name: string, args: readonly string[]): Promise<void> {
  const connection = ['--plugin', 'postgres12_pgx', '--endpoint', database.host, '--port', String(database.port)]
  try {
    await run(tool, [...connection, '--user', database.user, '--database', name, ...args], {
      // Not an argument: arguments are for everybody on the machine to read.
      env: { SQL_PASSWORD: database.password, ...toolTls(database) },
      timeout: toolTimeoutMs,
    })
  } catch (thrown) {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : ''
    // Without the cause: it carries the whole output, and the tool prints its configuration there.
    throw new Error(`temporal-sql-tool ${args[0]} on ${name} failed: ${lastLine(said)}`)
  }
}

/** The tool verifies the host's name, too, unless it is told not to. */
function toolTls({ caFile, host }: CellDatabase): Readonly<Record<string, string>> {
  return caFile === undefined ? {} : { SQL_TLS: 'true', SQL_TLS_CA_FILE: caFile, SQL_TLS_SERVER_NAME: host }
}

async function schemaVersion(database: CellDatabase, name: string): Promise<string | undefined> {
  const client = new Client(databaseConnection(database, name))
  await client.connect()
  try {
    const { rows } = await client.query<{ version: string }>(
      'SELECT curr_version AS version FROM schema_version WHERE version_partition = 0 AND db_name = $1',
      [name],
    )
    return rows[0]?.version
  } catch (thrown) {
    // undefined_table
    if (thrown instanceof Error && 'code' in thrown && thrown.code === '42P01') return undefined
    throw thrown
  } finally {
    await client.end()
  }
}

function databaseName(cellId: string): string {
  const name = cellId.replaceAll('-', '_')
  // Postgres cuts names after 63 bytes without a word.
  if (!/^[a-z][a-z0-9_]{0,50}$/.test(name)) throw new Error(`${JSON.stringify(cellId)} is not a cell id`)
  return name
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 500) ?? ''
}
