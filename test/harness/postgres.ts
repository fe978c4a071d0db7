import { randomBytes } from 'node:crypto'
import { Client, escapeIdentifier } from 'pg'
import { inject } from 'vitest'
import { type DatabaseRole, roleUrl } from '#libs/store'
import { testMasterKey } from './master-key.ts'

/** A database that one test file has for itself, a copy of the migrated template. */
export interface TestDatabase {
  readonly name: string
  /** Connects the superuser, who owns every table and passes by row-level security. */
  readonly adminUrl: string
  /** Connects as one of the parts does, so that row-level security holds. */
  roleUrl(role: DatabaseRole): string
  /** @throws Error when somebody is still connected: a pool that was not ended is a leak, and the test has to fail. */
  drop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The test run's Postgres server, as its superuser, on the database `postgres`: for databases of cells. */
export function postgresAdminUrl(): string {
  return inject('postgresAdminUrl')
}

/** Clones the template, about 50 ms. Call it in `beforeAll` and drop it in `afterAll`, after every pool is ended. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await statement(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${escapeIdentifier(inject('postgresTemplate'))}`)
  // A clone has the template's tables and rights on them, but not the rights on the database itself.
  await statement(`GRANT CREATE ON DATABASE ${escapeIdentifier(name)} TO aqueduct_provisioner`)
  const adminUrl = databaseUrl(name)
  // Postgres waits up to 5 s for connections that are on their way out before it refuses.
  const drop = (): Promise<void> => statement(`DROP DATABASE ${escapeIdentifier(name)}`)
  return {
    name,
    adminUrl,
    roleUrl: (role) => roleUrl(adminUrl, testMasterKey, role),
    drop,
    [Symbol.asyncDispose]: drop,
  }
}

/** The superuser's URL for another database of the test run's server. */
function databaseUrl(name: string): string {
  const url = new URL(postgresAdminUrl())
  url.pathname = `/${name}`
  return url.href
}

async function statement(sql: string): Promise<void> {
  const client = new Client({ connectionString: postgresAdminUrl() })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
