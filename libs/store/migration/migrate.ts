import { readFile } from 'node:fs/promises'
import { makeWorkerUtils } from 'graphile-worker'
import { Client } from 'pg'
import { type AppliedMigration, knownMigrations, migrationsDirectory } from './known-migrations.ts'
import { ensureRoles, roleUrl } from './roles.ts'

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
    // One at a time in this database; advisory locks do not reach further, and roles do: see `ensureRoles`.
    await client.query("select pg_advisory_lock(hashtext('aqueduct.migrate'))")
    const applied = await appliedMigrations(client)
    // Before anything is touched: an older version must not even set the roles' passwords.
    const known = await knownMigrations(applied)
    await ensureRoles(client, options.masterKey)
    await migrateQueue(roleUrl(options.adminUrl, options.masterKey, 'aqueduct_provisioner'))
    return await apply(
      client,
      known.filter((name) => !applied.some((row) => row.name === name)),
    )
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

async function appliedMigrations(client: Client): Promise<readonly AppliedMigration[]> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, breaking boolean not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query<AppliedMigration>('select name, breaking from schema_migrations')
  return rows
}

async function apply(client: Client, names: readonly string[]): Promise<readonly string[]> {
  for (const name of names) {
    const sql = await readFile(new URL(name, migrationsDirectory), 'utf8')
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
  }
  return names
}
