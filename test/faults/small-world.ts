import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { createLogger } from '#libs/telemetry'
import { releases } from '../../apps/provisioner/cells/releases.ts'
import { collectOrphanNexusEndpoints } from '../../apps/provisioner/collectors/orphan-nexus-endpoints.ts'
import type { Dns } from '../../apps/provisioner/dns/contract.ts'
import { keptNames } from '../../apps/provisioner/dns/kept-names.ts'
import { noDns } from '../../apps/provisioner/dns/no-dns.ts'
import { FakeDriver } from '../../apps/provisioner/drivers/fake/driver.ts'
import { reconcileCell } from '../../apps/provisioner/reconcilers/cells/reconcile.ts'
import { publishCellNames } from '../../apps/provisioner/reconcilers/names/cell-names.ts'
import { reconcileNamespace } from '../../apps/provisioner/reconcilers/namespaces/reconcile.ts'
import { type Next, settled } from '../../apps/provisioner/reconcilers/next.ts'
import { reconcileNexusEndpoint } from '../../apps/provisioner/reconcilers/nexus-endpoints/reconcile.ts'
import type { RouterAccess } from '../../apps/provisioner/reconcilers/nexus-endpoints/router-access.ts'
import { LaunchGuard } from '../../apps/provisioner/reconcilers/nodes/launch-guard.ts'
import { reconcileNode } from '../../apps/provisioner/reconcilers/nodes/reconcile.ts'
import type { Outward } from '../../apps/provisioner/reconcilers/outward.ts'
import type { CellHealth } from '../../apps/provisioner/reconcilers/rollouts/cell-health.ts'
import { reconcileRollout } from '../../apps/provisioner/reconcilers/rollouts/reconcile.ts'
import { FakeCellClient } from '../../apps/provisioner/temporal/fake-cell-client.ts'
import { testMasterKey } from '../harness/master-key.ts'
import type { TestDatabase } from '../harness/postgres.ts'
import { toldEdge } from './told-edge.ts'

/** Where a pass is to be lost, as if its process had been killed there. */
export interface Loss {
  readonly step: string
  readonly when: 'before' | 'after'
}

const region: Region = {
  id: 'aws-us-east-1',
  driver: 'fake',
  location: 'here',
  cellSize: 'dev',
  nodeLimit: 100,
  nodeTemplate: {},
  dns: { provider: 'none' },
  options: {},
}

export interface SmallWorldOptions {
  readonly cellSize?: Region['cellSize']
  /** Goes into every node's manifest. */
  readonly cellDatabaseUrl?: string
}

/**
 * The reconcilers on real Postgres, and a world of stateful fakes around them: what is lost, repeated or late is decided
 * by the test. An edge serves what the rows told it to, as the real one does.
 */
export class SmallWorld {
  readonly database: Database
  readonly driver = new FakeDriver({ startingReads: 1 })
  readonly cell = new FakeCellClient()
  readonly databases = new Set<string>()
  /** Whether a cell works, as rollouts ask it: all do, unless a test says something else. */
  health: CellHealth = { ask: async () => undefined }
  /** How rollouts ended, and how often one turned back. */
  readonly counted: string[] = []
  /** Who keeps names. */
  dns: Dns = noDns
  /** Every outward call in its order. */
  readonly steps: string[] = []
  loss: Loss | undefined
  /** A setting that goes into every node's manifest. */
  discoveryUrl = 'https://discovery.test:1'
  #now = Date.now()

  /** As the reconcilers' clock shows it: every wait moves it on. */
  get now(): Date {
    return new Date(this.#now)
  }

  readonly #region: Region
  readonly #cellDatabaseUrl: string

  constructor(testDatabase: Pick<TestDatabase, 'roleUrl'>, options: SmallWorldOptions = {}) {
    this.#region = { ...region, cellSize: options.cellSize ?? 'dev' }
    this.#cellDatabaseUrl = options.cellDatabaseUrl ?? 'postgres://admin@127.0.0.1:5432/postgres'
    this.database = new Database({
      url: testDatabase.roleUrl('aqueduct_provisioner'),
      poolSize: 4,
      applicationName: 'small-world',
    })
  }

  readonly #outward: Outward = async (step, call) => {
    this.steps.push(step)
    if (this.#isLostAt(step, 'before')) return new Promise<never>(() => undefined)
    const result = await call()
    if (this.#isLostAt(step, 'after')) return new Promise<never>(() => undefined)
    return result
  }

  #isLostAt(step: string, when: Loss['when']): boolean {
    if (this.loss?.step !== step || this.loss.when !== when) return false
    this.loss = undefined
    this.#lost?.()
    return true
  }

  #lost: (() => void) | undefined

  get #deps() {
    const clock: Clock = { now: () => new Date(this.#now) }
    return {
      database: this.database,
      launchGuard: new LaunchGuard({
        database: this.database,
        clock,
        nodeLimit: () => 100,
        onRefused: () => undefined,
      }),
      sealer: sealer(Buffer.from(testMasterKey)),
      clock,
      logger: createLogger('small-world', 'silent'),
      outward: this.#outward,
      cellClient: async () => this.cell,
      edge: toldEdge(this.database),
      names: keptNames(() => this.dns, 'example.com'),
      router: this.#router,
      regions: [this.#region],
      namespaceLimit: 2,
      driver: () => this.driver,
      databases: {
        create: async (cellId: string) => void this.databases.add(cellId),
        drop: async (cellId: string) => void this.databases.delete(cellId),
      },
      releases: releases(
        { server: '/bin/temporal-server', sqlTool: '/bin/temporal-sql-tool' },
        new Map([['1.33.0', { server: '/bin/next/temporal-server', sqlTool: '/bin/next/temporal-sql-tool' }]]),
      ),
      health: this.health,
      counted: (what: string) => void this.counted.push(what),
      envoy: '/bin/envoy',
      envoyConcurrency: 1,
      discoveryUrl: this.discoveryUrl,
      cellDatabaseUrl: this.#cellDatabaseUrl,
    }
  }

  readonly #router: RouterAccess = {
    awaitServing: async (_cell, endpointId, generation) => {
      const { rows } = await this.database.pool.query(
        'select generation from nexus_endpoints where id = $1 and served',
        [endpointId],
      )
      return rows[0]?.generation >= generation
        ? { kind: 'serving', generation: rows[0].generation }
        : { kind: 'not_yet', detail: 'not told' }
    },
    awaitAbsence: async (_cell, endpointId) => {
      const { rows } = await this.database.pool.query('select id from nexus_endpoints where id = $1 and served', [
        endpointId,
      ])
      return rows.length === 0 ? { kind: 'absent' } : { kind: 'not_yet', detail: 'still there' }
    },
  }

  /**
   * Runs passes over every noun until all rows are settled. A pass that is lost leaves its lease behind, which then
   * runs out.
   * @throws Error when there is no end to it.
   */
  async settle(): Promise<void> {
    for (let round = 0; round < 60; round += 1) {
      const open = await this.#open()
      if (open.length === 0) return
      for (const pass of open) await this.#run(pass)
      await this.publishCellNames()
    }
    throw new Error(`not settled after these steps: ${this.steps.slice(-30).join(' ')}`)
  }

  /** One pass over one namespace, whatever its state. */
  async pass(namespaceId: string): Promise<Next | 'lost'> {
    return this.#run(() => reconcileNamespace(this.#deps, namespaceId))
  }

  /** One pass over one Nexus endpoint, whatever its state. */
  async passNexusEndpoint(endpointId: string): Promise<Next | 'lost'> {
    return this.#run(() => reconcileNexusEndpoint(this.#deps, endpointId))
  }

  /** One round of the collector of Nexus endpoints. */
  async collectNexusEndpoints(): Promise<number> {
    return collectOrphanNexusEndpoints(this.#deps)
  }

  /** One round over the names of cells. */
  async publishCellNames(): Promise<void> {
    const round = { ...this.#deps, dnsOf: () => this.dns, domain: 'example.com' }
    await this.#run(() => publishCellNames(round).then(() => settled))
  }

  /** One pass over one cell, whatever its state. */
  async passCell(cellId: string): Promise<Next | 'lost'> {
    return this.#run(() => reconcileCell(this.#deps, cellId))
  }

  /** One pass over one node, whatever its state. */
  async passNode(nodeId: string): Promise<Next | 'lost'> {
    return this.#run(() => reconcileNode(this.#deps, nodeId))
  }

  /** One pass over one rollout, whatever its state. */
  async passRollout(rolloutId: string): Promise<Next | 'lost'> {
    return this.#run(() => reconcileRollout(this.#deps, rolloutId))
  }

  async #run(pass: () => Promise<Next>): Promise<Next | 'lost'> {
    const lost = new Promise<'lost'>((resolve) => {
      this.#lost = () => resolve('lost')
    })
    const next = await Promise.race([pass(), lost])
    if (next === 'lost') await this.#expireLeases()
    else if (next.kind === 'again') this.#now += next.afterMs
    return next
  }

  async #expireLeases(): Promise<void> {
    for (const table of ['namespaces', 'nexus_endpoints', 'cells', 'nodes', 'rollouts']) {
      await this.database.pool.query(
        `update ${table} set leased_until = now() - interval '1 second' where lease_owner is not null`,
      )
    }
  }

  async #open(): Promise<readonly (() => Promise<Next>)[]> {
    const ids = async (sql: string) => (await this.database.pool.query<{ id: string }>(sql)).rows.map((row) => row.id)
    const namespaces = await ids("select id from namespaces where state in ('activating', 'updating', 'deleting')")
    const endpoints = await ids(
      "select id from nexus_endpoints where state in ('activating', 'updating', 'deleting') order by id",
    )
    const cells = await ids("select id from cells where state in ('creating', 'deleting')")
    const nodes = await ids(
      `select n.id from nodes n join cells c on c.id = n.cell_id
       where n.state in ('creating', 'draining', 'deleting') or (n.state = 'ready' and n.limits_held < c.limits_version)`,
    )
    return [
      ...namespaces.map((id) => () => reconcileNamespace(this.#deps, id)),
      ...endpoints.map((id) => () => reconcileNexusEndpoint(this.#deps, id)),
      ...cells.map((id) => () => reconcileCell(this.#deps, id)),
      ...nodes.map((id) => () => reconcileNode(this.#deps, id)),
    ]
  }
}
