import type { Client } from 'pg'
import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import type { FakeDns } from '../../../apps/provisioner/dns/fake-dns.ts'
import type { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'
import type { FakeCellClient } from '../../../apps/provisioner/temporal/fake-cell-client.ts'
import type { TestDatabase } from '../../harness/postgres.ts'

/** What a fleet consists of besides its provisioners. */
export interface FleetParts {
  readonly testDatabase: TestDatabase
  /** As the superuser. */
  readonly admin: Client
  readonly clock: Clock
  readonly driver: FakeDriver
  readonly dns: FakeDns
  /** Ids of cells that have theirs. */
  readonly databases: Set<string>
  readonly cells: ReadonlyMap<string, FakeCellClient>
  cell(cellId: string): FakeCellClient
}

export const fleetDomain = 'example.com'

export const fleetRegion: Region = {
  id: 'aws-us-east-1',
  driver: 'fake',
  location: 'here',
  cellSize: 'small',
  nodeLimit: 30,
  nodeTemplate: {},
  // Names are kept all the same: this only spares us the minutes that resolvers remember a drained edge.
  dns: { provider: 'none' },
  options: {},
}
