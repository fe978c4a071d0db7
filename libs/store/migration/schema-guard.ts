import { readdir } from 'node:fs/promises'
import type { Pool } from 'pg'
import { NewerSchemaError } from './migrate.ts'

/**
 * What every process asks before it serves: is the schema there, and is it one that this version can live with?
 * @throws NewerSchemaError, or an Error that says to migrate first.
 */
export async function assertSchemaFits(pool: Pool): Promise<void> {
  const known = (await readdir(new URL('../migrations/', import.meta.url))).filter((name) => name.endsWith('.sql'))
  const { rows } = await pool.query<{ name: string; breaking: boolean }>('select name, breaking from schema_migrations')
  const stranger = rows.find((row) => row.breaking && !known.includes(row.name))
  if (stranger !== undefined)
    throw new NewerSchemaError(
      `The database holds ${stranger.name}, which this version cannot work with: run the newer version.`,
    )
  const missing = known.filter((name) => !rows.some((row) => row.name === name))
  if (missing.length > 0)
    throw new Error(`The database lacks ${missing.join(', ')}: run the migrations first (npm start does).`)
}
