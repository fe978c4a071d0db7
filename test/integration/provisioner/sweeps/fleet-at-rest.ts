import { Client } from 'pg'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { releases } from '../../../../apps/provisioner/cells/releases.ts'
import type { FakeDriver } from '../../../../apps/provisioner/drivers/fake/driver.ts'
import type { CellSweepDeps } from '../../../../apps/provisioner/sweeps/sweep-cells.ts'
import type { CellClient } from '../../../../apps/provisioner/temporal/cell-client.ts'
import { driverOfFleet } from '../../../bench/scale/driver-of-fleet.ts'
import { makeFleet } from '../../../bench/scale/fleet.ts'
import { testMasterKey } from '../../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../../harness/postgres.ts'

const regionId = 'aws-us-east-1'

/** Cells, nodes and namespaces at rest, and what a sweep needs to look at them. */
export interface FleetAtRest {
  readonly testDatabase: TestDatabase
  readonly admin: Client
  readonly database: Database
  readonly driver: FakeDriver
  readonly deps: CellSweepDeps
  /** Cells that do not answer. */
  readonly silent: Set<string>
  /** Keys of the jobs in the queue, sorted; the queue is empty afterwards. */
  takeJobs(): Promise<readonly string[]>
  close(): Promise<void>
}

export async function fleetAtRest(size: { readonly cells: number; readonly namespaces: number }): Promise<FleetAtRest> {
  const testDatabase = await createTestDatabase()
  const { adminUrl } = testDatabase
  const databaseUrl = testDatabase.roleUrl('aqueduct_provisioner')
  const admin = new Client({ connectionString: adminUrl })
  await admin.connect()
  await makeFleet(admin, { databaseUrl, adminUrl }, size)
  const database = new Database({ url: databaseUrl, poolSize: 4, applicationName: 'sweeps' })
  const driver = await driverOfFleet(admin)
  const silent = new Set<string>()
  const health = async (cellId: string) => {
    if (silent.has(cellId)) throw new Error(`${cellId} is silent`)
  }
  const deps: CellSweepDeps = {
    database,
    sealer: sealer(Buffer.from(testMasterKey)),
    clock: { now: () => new Date() },
    logger: createLogger('sweeps', 'silent'),
    regions: [
      {
        id: regionId,
        driver: 'fake',
        location: 'here',
        cellSize: 'small',
        nodeLimit: 100,
        nodeTemplate: {},
        dns: { provider: 'none' },
        options: {},
      },
    ],
    drivers: new Map([[regionId, driver]]),
    cells: {
      of: async (cellId) => ({ health: () => health(cellId) }) as CellClient,
      at: (cellId) => ({ health: () => health(cellId) }) as CellClient,
      keepOnly: () => undefined,
      close: () => undefined,
    },
    releases: releases({ server: '/bin/temporal-server', sqlTool: '/bin/temporal-sql-tool' }),
    envoy: '/bin/envoy',
    envoyConcurrency: 1,
    discoveryUrl: 'https://discovery.test:1',
    cellDatabaseUrl: adminUrl,
  }
  return {
    testDatabase,
    admin,
    database,
    driver,
    deps,
    silent,
    takeJobs: async () => {
      const { rows } = await admin.query<{ key: string }>('delete from graphile_worker._private_jobs returning key')
      return rows.map(({ key }) => key).toSorted()
    },
    close: async () => {
      await database.close()
      await admin.end()
      await testDatabase.drop()
    },
  }
}
