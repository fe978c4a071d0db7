import { systemActor } from '#libs/authz'
import { systemClock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { pruneAuditLog } from '#libs/store/audit'
import { installationId } from '#libs/store/installation'
import type { NodeRow } from '#libs/store/nodes'
import { forgetIdleBuckets } from '#libs/store/request-leases'
import { Counter, Histogram, type Logger, type Registry } from '#libs/telemetry'
import { createCellDatabases, dropCellDatabases } from './cells/databases.ts'
import { releases } from './cells/releases.ts'
import { forgetOldOperations } from './collectors/ended-operations.ts'
import { collectOrphanNamespaces } from './collectors/orphan-namespaces.ts'
import { collectOrphanNexusEndpoints } from './collectors/orphan-nexus-endpoints.ts'
import { orphanRounds } from './collectors/orphan-rounds.ts'
import { failOverdueOperations } from './collectors/overdue-operations.ts'
import { compareZones } from './collectors/zone-records.ts'
import { dnsByRegion } from './dns/dns-by-region.ts'
import { keptNames } from './dns/kept-names.ts'
import type { NodeDriver } from './drivers/contract.ts'
import { reconcileCell } from './reconcilers/cells/reconcile.ts'
import { renewCertificates } from './reconcilers/certificates/renew.ts'
import { bringMovesOn, replicationAddress } from './reconcilers/moves/round.ts'
import { publishCellNames } from './reconcilers/names/cell-names.ts'
import { ProbedEdgeAccess } from './reconcilers/namespaces/probed-edge-access.ts'
import { reconcileNamespace } from './reconcilers/namespaces/reconcile.ts'
import { ProbedRouterAccess } from './reconcilers/nexus-endpoints/probed-router-access.ts'
import { reconcileNexusEndpoint } from './reconcilers/nexus-endpoints/reconcile.ts'
import { LaunchGuard } from './reconcilers/nodes/launch-guard.ts'
import { reconcileNode } from './reconcilers/nodes/reconcile.ts'
import { createOutward } from './reconcilers/outward.ts'
import { ProbedCellHealth } from './reconcilers/rollouts/probed-cell-health.ts'
import { reconcileRollout } from './reconcilers/rollouts/reconcile.ts'
import { rolloutMetrics } from './reconcilers/rollouts/rollout-metrics.ts'
import { roundMetrics } from './round-metrics.ts'
import { type Round, runRounds } from './rounds.ts'
import type { ProvisionerSettings } from './settings.ts'
import { sweepCells } from './sweeps/sweep-cells.ts'
import { type CellClientSource, CellClients } from './temporal/cell-clients.ts'
import { Turns } from './turns.ts'
import { wakeOpenRollouts, wakeUnsettledNamespaces, wakeUnsettledNexusEndpoints } from './wake-everything.ts'
import { startWorker } from './worker.ts'

export interface ProvisionerDeps {
  readonly settings: ProvisionerSettings
  readonly database: Database
  readonly sealer: Sealer
  /** By region id. One driver may serve several regions. */
  readonly drivers: ReadonlyMap<string, NodeDriver>
  /** The cells' own APIs; unless given, as the rows say. */
  readonly cells?: CellClientSource
  readonly logger: Logger
  readonly registry: Registry
  /** Ends the process as SIGKILL does, for the crash point. */
  readonly crash: () => void
}

/** Milliseconds. New jobs are told by Postgres at once; this is for passes that come again after a delay. */
const pollIntervalMs = 100

export interface Provisioner {
  /** Everything that it does by the clock. */
  readonly rounds: readonly Round[]
  /** Waits for the passes that are under way. */
  stop(): Promise<void>
}

/** Starts the worker and the rounds. */
export async function startProvisioner(deps: ProvisionerDeps): Promise<Provisioner> {
  const { settings, database, sealer, logger, registry } = deps
  const clock = systemClock
  const cells = deps.cells ?? new CellClients({ database, sealer })
  const cellClient = async (cellId: string, nodes?: readonly NodeRow[]) =>
    nodes === undefined ? cells.of(cellId) : cells.at(cellId, nodes)
  const outward = createOutward({ crashPoint: settings.crashPoint, crash: deps.crash, observe: stepMetrics(registry) })
  const edge = new ProbedEdgeAccess({ database, sealer, clock, domain: settings.domain })
  const router = new ProbedRouterAccess({ database, sealer })
  const { cellDatabaseUrl: adminUrl, temporalServer: server, temporalSqlTool } = settings
  const known = releases({ server, sqlTool: temporalSqlTool }, settings.temporalReleases)
  const system = systemActor('provisioner')
  const installation = await installationId(database.all, system.authorize('orphan', 'update', { fleet: true }))
  const dnsOf = dnsByRegion(settings.regions, installation)
  const names = keptNames(dnsOf, settings.domain)
  const driver = (regionId: string) => driverOf(deps.drivers, regionId)
  const launchGuard = new LaunchGuard({
    database,
    clock,
    nodeLimit: (regionId) => nodeLimitOf(settings.regions, regionId),
    onRefused: refusedLaunches(registry),
  })
  const health = new ProbedCellHealth({ database, cellClient, edge })
  const counted = rolloutMetrics(registry)
  const common = { database, sealer, clock, logger, outward, cellClient }
  const runner = await startWorker({
    database,
    pool: database.pool,
    concurrency: settings.concurrency,
    pollIntervalMs,
    logger,
    reconcilers: {
      'reconcile-namespace': (id) =>
        reconcileNamespace(
          { ...common, edge, names, regions: settings.regions, namespaceLimit: settings.namespaceLimit },
          id,
        ),
      'reconcile-nexus-endpoint': (id) => reconcileNexusEndpoint({ ...common, router }, id),
      'reconcile-cell': (id) =>
        reconcileCell(
          {
            ...common,
            regions: settings.regions,
            driver,
            databases: {
              create: async (cellId, password, serverVersion) => {
                const sqlTool = known.sqlToolOf(serverVersion)
                await createCellDatabases({ adminUrl, sqlTool, installation }, cellId, password)
              },
              drop: (cellId) => dropCellDatabases({ adminUrl, installation }, cellId),
            },
          },
          id,
        ),
      'reconcile-rollout': (id) => reconcileRollout({ ...common, health, counted }, id),
      'reconcile-node': (id) => reconcileNode({ ...common, ...settings, releases: known, launchGuard, driver }, id),
    },
  })
  const ending = new AbortController()
  const rounds: readonly Round[] = [
    { name: 'wake namespaces', everyMs: 2_000, work: () => wakeUnsettledNamespaces(database) },
    { name: 'wake nexus endpoints', everyMs: 2_000, work: () => wakeUnsettledNexusEndpoints(database) },
    { name: 'wake rollouts', everyMs: 2_000, work: () => wakeOpenRollouts(database) },
    {
      name: 'cells and nodes',
      everyMs: 10_000,
      shared: true,
      work: (signal) => sweepCells({ ...common, ...settings, releases: known, drivers: deps.drivers, cells }, signal),
    },
    { name: 'overdue operations', everyMs: 2_000, work: () => failOverdueOperations({ database, logger }) },
    { name: 'ended operations', everyMs: 600_000, shared: true, work: () => forgetOldOperations({ database, clock }) },
    { name: 'idle request buckets', everyMs: 600_000, shared: true, work: () => forgetIdleBuckets(database.all) },
    {
      name: 'certificates',
      everyMs: 3_600_000,
      shared: true,
      work: (signal) => renewCertificates({ database, sealer, clock, logger, domain: settings.domain }, signal),
    },
    {
      name: 'audit log',
      everyMs: 3_600_000,
      shared: true,
      work: () => pruneAuditLog(database, daysAgo(settings.auditRetentionDays)),
    },
    {
      name: 'names of cells',
      everyMs: 1_000,
      work: () => publishCellNames({ database, logger, outward, dnsOf, domain: settings.domain }),
    },
    {
      name: 'moves',
      everyMs: 1_000,
      work: () =>
        bringMovesOn({
          ...common,
          replicationAddress: (cellId) => replicationAddress(database, cellId),
          passOnMs: settings.movePassOnSeconds * 1000,
        }),
    },
    {
      name: 'zones',
      everyMs: 60_000,
      shared: true,
      work: () =>
        compareZones({
          database,
          logger,
          clock,
          outward,
          dnsOf,
          regions: settings.regions.map((region) => region.id),
          domain: settings.domain,
          graceMs: settings.orphanGraceSeconds * 1000,
        }),
    },
    ...orphanRounds({
      ...common,
      registry,
      installation,
      regions: settings.regions,
      driverOf: (region) => driver(region.id),
      cellDatabaseUrl: adminUrl,
      graceMs: settings.orphanGraceSeconds * 1000,
    }),
    {
      name: 'orphan namespaces',
      everyMs: 60_000,
      shared: true,
      work: (signal) => collectOrphanNamespaces({ database, logger, outward, cellClient, signal }),
    },
    {
      name: 'orphan nexus endpoints',
      everyMs: 60_000,
      shared: true,
      work: (signal) => collectOrphanNexusEndpoints({ database, logger, outward, cellClient, signal }),
    },
  ]
  const running = runRounds(
    rounds,
    { turns: new Turns(database), metrics: roundMetrics(registry), logger },
    ending.signal,
  )
  return {
    rounds,
    stop: async () => {
      ending.abort()
      await Promise.all([runner.stop(), running])
      cells.close()
    },
  }
}

function daysAgo(days: number): Date {
  return new Date(systemClock.now().getTime() - days * 86_400_000)
}

function driverOf(drivers: ReadonlyMap<string, NodeDriver>, regionId: string): NodeDriver {
  const driver = drivers.get(regionId)
  if (driver === undefined) throw new Error(`the region ${regionId} is not among AQUEDUCT_REGIONS any more`)
  return driver
}

function nodeLimitOf(regions: readonly Region[], regionId: string): number {
  const region = regions.find(({ id }) => id === regionId)
  if (region === undefined) throw new Error(`the region ${regionId} is not among AQUEDUCT_REGIONS any more`)
  return region.nodeLimit
}

function refusedLaunches(registry: Registry) {
  const refused = new Counter({
    name: 'aqueduct_provisioner_launches_refused_total',
    help: 'Machines that were not launched because a cell or region is full, or because the last ones died',
    labelNames: ['reason'],
    registers: [registry],
  })
  return (reason: string) => refused.inc({ reason })
}

function stepMetrics(registry: Registry) {
  const seconds = new Histogram({
    name: 'aqueduct_provisioner_step_seconds',
    help: 'Outward calls of reconcilers and collectors',
    labelNames: ['step'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  })
  const failures = new Counter({
    name: 'aqueduct_provisioner_step_failures_total',
    help: 'Outward calls that failed',
    labelNames: ['step'],
    registers: [registry],
  })
  return (step: string, duration: number, outcome: 'ok' | 'failed') => {
    seconds.observe({ step }, duration)
    if (outcome === 'failed') failures.inc({ step })
  }
}
