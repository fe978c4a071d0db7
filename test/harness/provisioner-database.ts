import { Client } from 'pg'
import { Database } from '#libs/store'
import { createTestDatabase } from './postgres.ts'

/** A database that one test file has for itself. */
export interface ProvisionerDatabase extends AsyncDisposable {
  /** The superuser, who makes rows and looks at them past row-level security. */
  readonly admin: Client
  /** As the provisioner connects. */
  readonly database: Database
}

/** Call it in `beforeAll` and dispose of it in `afterAll`: it fails there when a pool of somebody else is still open. */
export async function openProvisionerDatabase(): Promise<ProvisionerDatabase> {
  const testDatabase = await createTestDatabase()
  const admin = new Client({ connectionString: testDatabase.adminUrl })
  await admin.connect()
  const database = new Database({
    url: testDatabase.roleUrl('aqueduct_provisioner'),
    poolSize: 4,
    applicationName: 'provisioner-test',
  })
  return {
    admin,
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close()
      await admin.end()
      await testDatabase.drop()
    },
  }
}
