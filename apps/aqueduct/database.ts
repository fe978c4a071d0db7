import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '#libs/processes'
import { clusterUrl } from './postgres/cluster.ts'
import { freePort } from './postgres/free-port.ts'

/** The product's own, on the embedded server. */
export const productDatabase = 'aqueduct'

/** What the embedded server was made with; kept, since cells have its address and password in their configuration. */
export interface EmbeddedDatabase {
  readonly port: number
  readonly password: string
}

/** Reads the file in the data folder, or makes it. A port that is set in the configuration wins over the kept one. */
export async function embeddedDatabase(dataDirectory: string, wantedPort: number): Promise<EmbeddedDatabase> {
  const file = fileIn(dataDirectory)
  const kept = keptDatabase(file)
  const database = {
    port: wantedPort !== 0 ? wantedPort : (kept?.port ?? (await freePort())),
    password: kept?.password ?? randomBytes(24).toString('base64url'),
  }
  if (kept?.port !== database.port) {
    await writeFileAtomic(file, `${JSON.stringify(database)}\n`, { mode: 0o600, durable: true })
  }
  return database
}

/** The owner's URL of the product's database, as it was last started; undefined when there is none in the data folder. */
export function embeddedDatabaseUrl(dataDirectory: string): string | undefined {
  const kept = keptDatabase(fileIn(dataDirectory))
  return kept === undefined ? undefined : clusterUrl(kept, productDatabase)
}

function fileIn(dataDirectory: string): string {
  return join(dataDirectory, 'postgres.json')
}

function keptDatabase(file: string): EmbeddedDatabase | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as EmbeddedDatabase) : undefined
}

/** The same server and database without who connects: no secret, and every role adds itself. */
export function anonymous(url: string): string {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare.href
}
