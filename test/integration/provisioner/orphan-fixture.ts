import { Client } from 'pg'
import type { Clock } from '#libs/base'
import { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { collectOrphanMachines, type DriverScope } from '../../../apps/provisioner/collectors/orphan-machines.ts'
import type { OrphansDeps } from '../../../apps/provisioner/collectors/orphans.ts'
import type { NodeDriver, NodeLaunch } from '../../../apps/provisioner/drivers/contract.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'

export const graceMs = 30_000

/** A clock that stands still until it is moved. */
class HandClock implements Clock {
  #ms = Date.now()
  now(): Date {
    return new Date(this.#ms)
  }
  pass(ms: number): void {
    this.#ms += ms
  }
  reset(): void {
    this.#ms = Date.now()
  }
}

export function launchOf(nodeId: string, { cellId = 'cell-1', slotId = 'all-0' } = {}): NodeLaunch {
  const template = { serverVersion: '1.32.2' }
  return { nodeId, cellId, role: 'all', slotId, zone: 0, template, userData: '' }
}

/** Rows on a database of their own, what collectors are given, and what they said. */
export class OrphanFixture implements AsyncDisposable {
  readonly clock = new HandClock()
  readonly collected: string[] = []
  readonly admin: Client
  readonly database: Database
  readonly #testDatabase: TestDatabase

  private constructor(admin: Client, testDatabase: TestDatabase) {
    this.admin = admin
    this.#testDatabase = testDatabase
    this.database = this.#open()
  }

  static async start(): Promise<OrphanFixture> {
    const testDatabase = await createTestDatabase()
    const admin = new Client({ connectionString: testDatabase.adminUrl })
    await admin.connect()
    return new OrphanFixture(admin, testDatabase)
  }

  /** As another provisioner has it. */
  secondPool(): Database {
    return this.#open()
  }

  #open(): Database {
    return new Database({
      url: this.#testDatabase.roleUrl('aqueduct_provisioner'),
      poolSize: 8,
      applicationName: 'orphans',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.close()
    await this.admin.end()
    await this.#testDatabase.drop()
  }

  async clear(): Promise<void> {
    await this.admin.query('truncate nodes, cells, sightings, collected cascade')
    this.collected.length = 0
    this.clock.reset()
  }

  async cell(id: string, { state = 'ready', size = 'dev', region = 'aws-us-east-1' } = {}): Promise<void> {
    await this.admin.query(
      `insert into cells (id, region, driver, state, size, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
       values ($1, $2, 'fake', $3, $4, 10, 64, '1.32.2', $5, 'x')`,
      [id, region, state, size, id.replaceAll('-', '_')],
    )
  }

  async node(
    id: string,
    given: { cellId?: string; state?: string; slot?: string; machineId?: string; seen?: boolean } = {},
  ) {
    const { cellId = 'cell-1', state = 'ready', slot = 'all-0', machineId, seen = false } = given
    await this.admin.query(
      `insert into nodes (id, cell_id, driver, state, slot, machine_id, observed) values ($1, $2, 'fake', $3, $4, $5, $6)`,
      [id, cellId, state, slot, machineId ?? null, seen ? '{"kind": "present"}' : null],
    )
  }

  get deps(): OrphansDeps {
    return {
      database: this.database,
      logger: createLogger('test', 'silent'),
      clock: this.clock,
      outward: (_step, call) => call(),
      graceMs,
      onCollected: (kind) => this.collected.push(kind),
    }
  }

  round(driver: NodeDriver, deps: Partial<OrphansDeps> = {}): Promise<number> {
    const scope: DriverScope = { name: 'fake', driver, regions: ['aws-us-east-1'] }
    return collectOrphanMachines({ ...this.deps, ...deps }, scope)
  }

  async sightings(): Promise<readonly string[]> {
    const { rows } = await this.admin.query('select kind, id, stranger from sightings order by kind, id')
    return rows.map(({ kind, id, stranger }) => `${kind} ${id}${stranger ? ' (stranger)' : ''}`)
  }
}
