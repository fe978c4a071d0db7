import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { releases } from '../../../apps/provisioner/cells/releases.ts'
import { collectOrphanMachines } from '../../../apps/provisioner/collectors/orphan-machines.ts'
import { collectOrphanNamespaces } from '../../../apps/provisioner/collectors/orphan-namespaces.ts'
import { compareZones } from '../../../apps/provisioner/collectors/zone-records.ts'
import { keptNames } from '../../../apps/provisioner/dns/kept-names.ts'
import { reconcileCell } from '../../../apps/provisioner/reconcilers/cells/reconcile.ts'
import { publishCellNames } from '../../../apps/provisioner/reconcilers/names/cell-names.ts'
import { reconcileNamespace } from '../../../apps/provisioner/reconcilers/namespaces/reconcile.ts'
import type { Next } from '../../../apps/provisioner/reconcilers/next.ts'
import { LaunchGuard } from '../../../apps/provisioner/reconcilers/nodes/launch-guard.ts'
import { reconcileNode } from '../../../apps/provisioner/reconcilers/nodes/reconcile.ts'
import { createOutward, type Outward } from '../../../apps/provisioner/reconcilers/outward.ts'
import { sweepCells } from '../../../apps/provisioner/sweeps/sweep-cells.ts'
import { wakeUnsettledNamespaces } from '../../../apps/provisioner/wake-everything.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { toldEdge } from '../told-edge.ts'
import { type FleetParts, fleetDomain, fleetRegion } from './fleet-parts.ts'

export type FleetRound =
  | 'wake'
  | 'sweep'
  | 'cellNames'
  | 'orphanMachines'
  | 'orphanDatabases'
  | 'orphanNamespaces'
  | 'zones'

/** What goes wrong with a replica at a step, once. */
export interface Trouble {
  readonly step: string
  /**
   * `killed-before`, `killed-after`: the process is gone there. `asleep`: it is stopped before the call, for longer than its
   * leases, and goes on when it is woken. `in-flight`: the same, and the call is on its way already.
   */
  readonly kind: 'killed-before' | 'killed-after' | 'asleep' | 'in-flight'
}

/** The reconcilers and rounds of one provisioner, in a world that they share with others. */
export class FleetReplica {
  readonly database: Database
  readonly #world: FleetParts
  readonly #call: Outward
  /** Every outward call in its order. */
  readonly steps: string[] = []
  /** Those that were let through to the world. */
  readonly made: string[] = []
  trouble: Trouble | undefined
  /** How often each call is made: one after the other, or at the same time. */
  calls: 'once' | 'twice' | 'side by side' = 'once'
  #lost: (() => void) | undefined
  #asleep: PromiseWithResolvers<void> | undefined
  #sleeper: Promise<unknown> | undefined
  readonly #launchGuard: LaunchGuard

  constructor(world: FleetParts) {
    this.#world = world
    this.database = new Database({
      url: world.testDatabase.roleUrl('aqueduct_provisioner'),
      poolSize: 6,
      applicationName: 'fleet-replica',
    })
    this.#call = createOutward({ crashPoint: undefined, crash: () => undefined, observe: () => undefined })
    this.#launchGuard = new LaunchGuard({
      database: this.database,
      clock: world.clock,
      nodeLimit: () => fleetRegion.nodeLimit,
      onRefused: () => undefined,
      monotonicMs: () => world.clock.now().getTime(),
    })
  }

  readonly #outward: Outward = async (step, call) => {
    this.steps.push(step)
    if (this.#isAt(step, 'killed-before')) return new Promise<never>(() => undefined)
    if (this.#isAt(step, 'asleep')) await this.#asleep?.promise
    const result = await this.#call(step, async () => {
      this.made.push(step)
      if (this.#isAt(step, 'in-flight')) await this.#asleep?.promise
      return this.#repeated(call)
    })
    if (this.#isAt(step, 'killed-after')) return new Promise<never>(() => undefined)
    return result
  }

  async #repeated<Result>(call: () => Promise<Result>): Promise<Result> {
    switch (this.calls) {
      case 'once':
        return call()
      case 'twice':
        await call().catch(() => undefined)
        return call()
      case 'side by side': {
        const [, second] = await Promise.allSettled([call(), call()])
        if (second.status === 'rejected') throw second.reason
        return second.value
      }
    }
  }

  #isAt(step: string, kind: Trouble['kind']): boolean {
    if (this.trouble?.step !== step || this.trouble.kind !== kind) return false
    this.trouble = undefined
    if (kind === 'asleep' || kind === 'in-flight') this.#asleep = Promise.withResolvers()
    this.#lost?.()
    return true
  }

  /** Whether it stopped in the middle of something. */
  get isAsleep(): boolean {
    return this.#asleep !== undefined
  }

  /** Goes on where it was stopped, to the end of that pass. */
  async wake(): Promise<void> {
    this.#asleep?.resolve()
    this.#asleep = undefined
    await this.#sleeper
  }

  /** One pass over one noun. @param key of the job: `reconcile-node:node-…` */
  async pass(key: string): Promise<Next | 'lost'> {
    const [task, id = ''] = key.split(':')
    return this.#run(() => {
      switch (task) {
        case 'reconcile-namespace':
          return reconcileNamespace(this.#deps, id)
        case 'reconcile-cell':
          return reconcileCell(this.#deps, id)
        case 'reconcile-node':
          return reconcileNode(this.#deps, id)
        default:
          throw new Error(`there is no reconciler for ${key}`)
      }
    })
  }

  async round(name: FleetRound): Promise<unknown> {
    return this.#run(() => this.#round(name))
  }

  async #round(name: FleetRound): Promise<unknown> {
    const { driver } = this.#world
    const deps = { ...this.#deps, graceMs: 30_000 }
    switch (name) {
      case 'wake':
        return wakeUnsettledNamespaces(this.database)
      case 'sweep':
        return sweepCells(deps, new AbortController().signal)
      case 'cellNames':
        return publishCellNames(deps)
      case 'orphanMachines':
        return collectOrphanMachines(deps, { name: 'fake', driver, regions: [fleetRegion.id] })
      case 'orphanDatabases':
        return this.#orphanDatabases()
      case 'orphanNamespaces':
        return collectOrphanNamespaces(deps)
      case 'zones':
        return compareZones({ ...deps, regions: [fleetRegion.id] })
    }
  }

  /** The real collector asks a real server; this one does the same to names in a set. */
  async #orphanDatabases(): Promise<void> {
    const { rows } = await this.database.pool.query<{ id: string }>("select id from cells where state = 'deleted'")
    for (const { id } of rows) {
      if (this.#world.databases.has(id))
        await this.#outward('collect-database', async () => void this.#world.databases.delete(id))
    }
  }

  async #run<Result>(work: () => Promise<Result>): Promise<Result | 'lost'> {
    const lost = new Promise<'lost'>((resolve) => {
      this.#lost = () => resolve('lost')
    })
    const working = work()
    const result = await Promise.race([working, lost])
    if (result === 'lost') this.#sleeper = working.catch(() => undefined)
    return result
  }

  get #deps() {
    const world = this.#world
    return {
      database: this.database,
      launchGuard: this.#launchGuard,
      sealer: sealer(Buffer.from(testMasterKey)),
      clock: world.clock,
      logger: createLogger('fleet', 'silent'),
      outward: this.#outward,
      cellClient: async (cellId: string) => world.cell(cellId),
      cells: {
        of: async (cellId: string) => world.cell(cellId),
        at: (cellId: string) => world.cell(cellId),
        keepOnly: () => undefined,
        close: () => undefined,
      },
      edge: toldEdge(this.database),
      names: keptNames(() => world.dns, fleetDomain),
      dnsOf: () => world.dns,
      domain: fleetDomain,
      regions: [fleetRegion],
      namespaceLimit: 1,
      driver: () => world.driver,
      drivers: new Map([[fleetRegion.id, world.driver]]),
      databases: {
        create: async (cellId: string) => void world.databases.add(cellId),
        drop: async (cellId: string) => void world.databases.delete(cellId),
      },
      releases: releases({ server: '/bin/temporal-server', sqlTool: '/bin/temporal-sql-tool' }),
      envoy: '/bin/envoy',
      envoyConcurrency: 1,
      discoveryUrl: 'https://discovery.test:1',
      cellDatabaseUrl: 'postgres://admin@127.0.0.1:5432/postgres',
    }
  }
}
