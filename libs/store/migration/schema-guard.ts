import type { Pool } from 'pg'
import { type AppliedMigration, knownMigrations } from './known-migrations.ts'

/**
 * What every process asks before it serves: is the schema there, and is it one that this version can live with?
 * @throws NewerSchemaError, or an Error that says to migrate first.
 */
export async function assertSchemaFits(pool: Pool): Promise<void> {
  const { rows } = await pool.query<AppliedMigration>('select name, breaking from schema_migrations')
  const known = await knownMigrations(rows)
  const missing = known.filter((name) => !rows.some((row) => row.name === name))
  if (missing.length > 0) {
    throw new Error(`The database lacks ${missing.join(', ')}: run the migrations first (npm start does).`)
  }
}
