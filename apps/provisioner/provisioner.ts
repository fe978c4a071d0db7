import { systemActor } from '#libs/authz'
import { systemClock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { installationId } from '#libs/store/installation'
import type { NodeRow } from '#libs/store/nodes'
import type { Logger, Registry } from '#libs/telemetry'
import { createCellDatabases, dropCellDatabases } from './cells/databases.ts'
import { releases } from './cells/releases.ts'
import { dnsByRegion } from './dns/dns-by-region.ts'
import { keptNames } from './dns/kept-names.ts'
import type { NodeDriver } from './drivers/contract.ts'
import { provisionerRounds } from './provisioner-rounds.ts'
import { reconcileCell } from './reconcilers/cells/reconcile.ts'
import { ProbedEdgeAccess } from './reconcilers/namespaces/probed-edge-access.ts'
import { reconcileNamespace } from './reconcilers/namespaces/reconcile.ts'
import { ProbedRouterAccess } from './reconcilers/nexus-endpoints/probed-router-access.ts'
import { reconcileNexusEndpoint } from './reconcilers/nexus-endpoints/reconcile.ts'
import { LaunchGuard } from './reconcilers/nodes/launch-guard.ts'
import { launchMetrics } from './reconcilers/nodes/launch-metrics.ts'
import { reconcileNode } from './reconcilers/nodes/reconcile.ts'
import { createOutward } from './reconcilers/outward.ts'
import { ProbedCellHealth } from './reconcilers/rollouts/probed-cell-health.ts'
import { reconcileRollout } from './reconcilers/rollouts/reconcile.ts'
import { rolloutMetrics } from './reconcilers/rollouts/rollout-metrics.ts'
import { type Round, runRounds } from './rounds.ts'
import type { ProvisionerSettings } from './settings.ts'
import { type CellClientSource, CellClients } from './temporal/cell-clients.ts'
import { roundTimings, stepTimings } from './timings.ts'
import { Turns } from './turns.ts'
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
  const outward = createOutward({ crashPoint: settings.crashPoint, crash: deps.crash, observe: stepTimings(registry) })
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
    onRefused: launchMetrics(registry),
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
  const rounds = provisionerRounds({
    ...common,
    settings,
    registry,
    cells,
    releases: known,
    drivers: deps.drivers,
    driver,
    dnsOf,
    installation,
  })
  const running = runRounds(
    rounds,
    { turns: new Turns(database), timings: roundTimings(registry), logger },
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
