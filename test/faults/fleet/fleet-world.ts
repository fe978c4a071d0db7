import type { Client } from 'pg'
import type { Clock } from '#libs/base'
import { FakeDns } from '../../../apps/provisioner/dns/fake-dns.ts'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'
import { FakeCellClient } from '../../../apps/provisioner/temporal/fake-cell-client.ts'
import type { TestDatabase } from '../../harness/postgres.ts'
import type { FleetParts } from './fleet-parts.ts'
import { FleetReplica } from './fleet-replica.ts'
import { inventoryOfRows, inventoryOfWorld, isAtRest } from './inventory.ts'

/** Milliseconds of a lease, and of the longest rest after a pass that failed: see libs/store/lease.ts and retry-delay.ts. */
const leaseMs = 20_000
/** Milliseconds after which a test has no hope. */
const patienceMs = 5 * 60_000

/** As the provisioner has them: milliseconds between two of each. */
const rounds = [
  ['wake', 2_000],
  ['sweep', 10_000],
  ['cellNames', 1_000],
  ['orphanMachines', 15_000],
  ['orphanDatabases', 15_000],
  ['orphanNamespaces', 60_000],
  ['zones', 60_000],
] as const

/**
 * Cells of three nodes in a world of stateful fakes with a clock of its own, which only moves when nothing is to be done:
 * seconds of it are what a real installation would take, machines and servers left out. Jobs come from the real queue,
 * and everything that is done by the clock is done at its pace.
 */
export class FleetWorld implements FleetParts {
  readonly clock: Clock = { now: () => new Date(this.#now) }
  readonly driver = new FakeDriver({ startingReads: 1, clock: this.clock })
  readonly dns = new FakeDns()
  readonly databases = new Set<string>()
  readonly admin: Client
  readonly testDatabase: TestDatabase
  readonly #cells = new Map<string, FakeCellClient>()
  readonly #due = new Map<string, number>()
  readonly #nextRound = new Map<string, number>()
  #expireAt: number | undefined
  #now = Date.now()

  constructor(testDatabase: TestDatabase, admin: Client) {
    this.testDatabase = testDatabase
    this.admin = admin
  }

  get now(): number {
    return this.#now
  }

  /** A provisioner in this world. */
  replica(): FleetReplica {
    return new FleetReplica(this)
  }

  cell(cellId: string): FakeCellClient {
    const known = this.#cells.get(cellId)
    if (known !== undefined) return known
    const made = new FakeCellClient()
    this.#cells.set(cellId, made)
    return made
  }

  get cells(): ReadonlyMap<string, FakeCellClient> {
    return this.#cells
  }

  /**
   * Lets replicas work until rows equal world and nothing is left to do.
   * @param who does what is due now; of several, whoever that is then.
   * @returns milliseconds by the world's clock.
   * @throws Error that says what is not equal, when it takes for ever.
   */
  async converge(who: (turn: number) => FleetReplica): Promise<number> {
    const began = this.#now
    for (let turn = 0; ; turn += 1) {
      if (await this.#work(() => who(turn))) continue
      if (this.#expireAt === undefined && (await this.#isConverged())) return this.#now - began
      if (this.#now - began > patienceMs) {
        const [rows, world] = [await inventoryOfRows(this), await inventoryOfWorld(this)]
        const { rows: waiting } = await this.admin.query(
          `select id, state, conditions->'ready'->>'detail' as detail from nodes where state not in ('ready', 'deleted')
           union all select id, state, conditions->'ready'->>'detail' from cells where state not in ('deleted')
           union all select id, state, waiting_for from namespaces where state not in ('active', 'deleted')`,
        )
        const seen = Object.entries({ rows, world, waiting }).map(([name, what]) => `${name} ${JSON.stringify(what)}`)
        throw new Error(`not converged:\n${seen.join('\n')}`)
      }
      this.#wait()
    }
  }

  async #isConverged(): Promise<boolean> {
    if (!(await isAtRest(this))) return false
    const [rows, world] = [await inventoryOfRows(this), await inventoryOfWorld(this)]
    return JSON.stringify(rows) === JSON.stringify(world)
  }

  /** Everything that is due now. @returns whether anything was. */
  async #work(who: () => FleetReplica): Promise<boolean> {
    if (this.#expireAt !== undefined && this.#now >= this.#expireAt) await this.#expireLeases()
    for (const [name, everyMs] of rounds) {
      if ((this.#nextRound.get(name) ?? 0) > this.#now) continue
      this.#nextRound.set(name, this.#now + everyMs)
      if (name === 'sweep') await this.#age(everyMs)
      if ((await who().round(name)) === 'lost') this.#died()
    }
    await this.#takeJobs()
    const due = [...this.#due].filter(([, at]) => at <= this.#now).map(([key]) => key)
    for (const key of due) {
      this.#due.delete(key)
      const next = await who().pass(key)
      if (next === 'lost') this.#died()
      else if (next.kind === 'again') this.#comeAgain(key, next.afterMs)
    }
    return due.length > 0
  }

  #comeAgain(key: string, afterMs: number): void {
    const at = this.#now + Math.max(1, afterMs)
    this.#due.set(key, Math.min(at, this.#due.get(key) ?? at))
  }

  #died(): void {
    this.#expireAt = this.#now + leaseMs
  }

  #wait(): void {
    const times = [...this.#due.values(), ...this.#nextRound.values(), this.#expireAt ?? Number.POSITIVE_INFINITY]
    this.#now = Math.max(this.#now + 1, Math.min(...times))
  }

  async #takeJobs(): Promise<void> {
    const { rows } = await this.admin.query<{ key: string }>('delete from graphile_worker._private_jobs returning key')
    for (const { key } of rows) this.#due.set(key, this.#now)
  }

  /** What goes by the database's own clock: rests, and launches that may still be on their way. */
  async #age(ms: number): Promise<void> {
    await this.admin.query(
      `update nodes set launch_permitted_at = launch_permitted_at - make_interval(secs => $1)
       where launch_permitted_at > now() - interval '1 hour'`,
      [ms / 1000],
    )
    for (const table of ['namespaces', 'cells', 'nodes']) {
      await this.admin.query(`update ${table} set retry_at = null where retry_at is not null`)
    }
  }

  /** Of replicas that died or sleep. */
  async #expireLeases(): Promise<void> {
    this.#expireAt = undefined
    for (const table of ['namespaces', 'cells', 'nodes']) {
      await this.admin.query(
        `update ${table} set leased_until = now() - interval '1 second' where lease_owner is not null`,
      )
    }
  }
}
