import { readFileSync } from 'node:fs'
import type { CellDatabase } from './temporal-config.ts'

/** How to connect to one of a cell's databases as the cell's own role, as `pg` takes it. */
export function databaseConnection(database: CellDatabase, name: string) {
  const { host, port, user, password, caFile } = database
  const ssl = caFile === undefined ? {} : { ssl: { ca: readFileSync(caFile, 'utf8') } }
  return { host, port, user, password, database: name, ...ssl }
}

/**
 * The file of the CAs by which a server proves itself, as a connection URL names it: `?sslmode=verify-full&sslrootcert=…`.
 * @returns undefined for a server without TLS.
 * @throws Error for anything in between: a connection that encrypts and verifies nobody would look safe.
 */
export function serverCaFile(url: string): string | undefined {
  const { searchParams } = new URL(url)
  const [mode, file] = [searchParams.get('sslmode'), searchParams.get('sslrootcert')]
  if (mode === 'verify-full' && file !== null && file.startsWith('/')) return file
  if ((mode === null || mode === 'disable') && file === null) return undefined
  throw new Error(
    'AQUEDUCT_CELL_DATABASE_URL: write sslmode=verify-full&sslrootcert=<absolute path>, the same path on every node, or neither',
  )
}
