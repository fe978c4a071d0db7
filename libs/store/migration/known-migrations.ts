import { readdir } from 'node:fs/promises'

/** The files of this version's migrations, each with its name in `schema_migrations`. */
export const migrationsDirectory = new URL('../migrations/', import.meta.url)

/** A row of `schema_migrations`. */
export interface AppliedMigration {
  readonly name: string
  readonly breaking: boolean
}

/** A database that this version of the product must not touch. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError'
}

/**
 * The names of this version's migrations, in their order, for a database that it can live with.
 * @throws NewerSchemaError when the database holds a breaking migration that this version does not know.
 */
export async function knownMigrations(applied: readonly AppliedMigration[]): Promise<readonly string[]> {
  const known = (await readdir(migrationsDirectory)).filter((name) => name.endsWith('.sql')).sort()
  const stranger = applied.find((row) => row.breaking && !known.includes(row.name))
  if (stranger === undefined) return known
  throw new NewerSchemaError(
    `The database was migrated by a newer version (${stranger.name}) that this version cannot work with. Run the newer version, or restore a backup.`,
  )
}
