import { readdir, readFile } from 'node:fs/promises'
import { makeWorkerUtils } from 'graphile-worker'
import { Client } from 'pg'
import { ensureRoles, roleUrl } from './roles.ts'

const directory = new URL('../migrations/', import.meta.url)

/** A database that this version of the product must not touch. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError'
}

export interface MigrateOptions {
  /** Connection URL of a role that may create roles, tables and policies. */
  readonly adminUrl: string
  readonly masterKey: Uint8Array
}

/**
 * Brings a database to this version's schema, forward only. Safe to run from several processes at once: they wait for
 * each other on an advisory lock. A file whose first line is `-- breaking` marks a change that older versions cannot
 * live with; they refuse to start once it is there.
 * @returns the names of the migrations that were applied.
 * @throws NewerSchemaError when the database holds a breaking migration that this version does not know.
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const client = new Client({ connectionString: options.adminUrl })
  await client.connect()
  try {
    // Roles are shared by all databases of the server, so the lock must be, too: it is taken in the first statement.
    await client.query("select pg_advisory_lock(hashtext('aqueduct.migrate'))")
    await ensureRoles(client, options.masterKey)
    await migrateQueue(roleUrl(options.adminUrl, options.masterKey, 'aqueduct_provisioner'))
    return await applyMigrations(client)
  } finally {
    await client.end()
  }
}

async function migrateQueue(connectionString: string): Promise<void> {
  const queue = await makeWorkerUtils({ connectionString })
  try {
    await queue.migrate()
  } finally {
    await queue.release()
  }
}

async function applyMigrations(client: Client): Promise<readonly string[]> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, breaking boolean not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query<{ name: string; breaking: boolean }>(
    'select name, breaking from schema_migrations',
  )
  const known = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const stranger = rows.find((row) => row.breaking && !known.includes(row.name))
  if (stranger !== undefined) {
    throw new NewerSchemaError(
      `The database was migrated by a newer version (${stranger.name}) that this version cannot work with. Run the newer version, or restore a backup.`,
    )
  }
  const applied: string[] = []
  for (const name of known) {
    if (rows.some((row) => row.name === name)) continue
    const sql = await readFile(new URL(name, directory), 'utf8')
    await client.query('begin')
    try {
      await client.query(sql)
      await client.query('insert into schema_migrations (name, breaking) values ($1, $2)', [
        name,
        sql.startsWith('-- breaking'),
      ])
      await client.query('commit')
    } catch (thrown) {
      await client.query('rollback')
      throw new Error(`migration ${name} failed; nothing of it was kept`, { cause: thrown })
    }
    applied.push(name)
  }
  return applied
}
