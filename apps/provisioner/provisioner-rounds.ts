import type { Clock } from '#libs/base'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { pruneAuditLog } from '#libs/store/audit'
import type { NodeRow } from '#libs/store/nodes'
import { forgetIdleBuckets } from '#libs/store/request-leases'
import type { Logger, Registry } from '#libs/telemetry'
import type { Releases } from './cells/releases.ts'
import { forgetOldOperations } from './collectors/ended-operations.ts'
import { collectOrphanNamespaces } from './collectors/orphan-namespaces.ts'
import { collectOrphanNexusEndpoints } from './collectors/orphan-nexus-endpoints.ts'
import { orphanRounds } from './collectors/orphan-rounds.ts'
import { failOverdueOperations } from './collectors/overdue-operations.ts'
import { compareZones } from './collectors/zone-records.ts'
import type { DnsOf } from './dns/kept-names.ts'
import type { NodeDriver } from './drivers/contract.ts'
import { renewCertificates } from './reconcilers/certificates/renew.ts'
import { bringMovesOn, replicationAddress } from './reconcilers/moves/round.ts'
import { publishCellNames } from './reconcilers/names/cell-names.ts'
import type { Outward } from './reconcilers/outward.ts'
import type { Round } from './rounds.ts'
import type { ProvisionerSettings } from './settings.ts'
import { sweepCells } from './sweeps/sweep-cells.ts'
import type { CellClient } from './temporal/cell-client.ts'
import type { CellClientSource } from './temporal/cell-clients.ts'
import { wakeOpenRollouts, wakeUnsettledNamespaces, wakeUnsettledNexusEndpoints } from './wake-everything.ts'

export interface ProvisionerRoundsDeps {
  readonly settings: ProvisionerSettings
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  readonly outward: Outward
  readonly cells: CellClientSource
  readonly cellClient: (cellId: string, nodes?: readonly NodeRow[]) => Promise<CellClient>
  readonly releases: Releases
  /** By region id. */
  readonly drivers: ReadonlyMap<string, NodeDriver>
  readonly driver: (regionId: string) => NodeDriver
  readonly dnsOf: DnsOf
  /** The installation's id, by which it knows its own in a world that others share. */
  readonly installation: string
}

/** Everything that the provisioner does by the clock: wakes, sweeps, renewals, names, moves, and the collectors. */
export function provisionerRounds(deps: ProvisionerRoundsDeps): readonly Round[] {
  const { settings, database, clock, logger, outward, dnsOf } = deps
  const { domain, regions } = settings
  const graceMs = settings.orphanGraceSeconds * 1000
  return [
    { name: 'wake namespaces', everyMs: 2_000, work: () => wakeUnsettledNamespaces(database) },
    { name: 'wake nexus endpoints', everyMs: 2_000, work: () => wakeUnsettledNexusEndpoints(database) },
    { name: 'wake rollouts', everyMs: 2_000, work: () => wakeOpenRollouts(database) },
    {
      name: 'cells and nodes',
      everyMs: 10_000,
      shared: true,
      work: (signal) => sweepCells({ ...deps, ...settings }, signal),
    },
    { name: 'overdue operations', everyMs: 2_000, work: () => failOverdueOperations(deps) },
    { name: 'ended operations', everyMs: 600_000, shared: true, work: () => forgetOldOperations(deps) },
    { name: 'idle request buckets', everyMs: 600_000, shared: true, work: () => forgetIdleBuckets(database.all) },
    {
      name: 'certificates',
      everyMs: 3_600_000,
      shared: true,
      work: (signal) => renewCertificates({ ...deps, domain }, signal),
    },
    {
      name: 'audit log',
      everyMs: 3_600_000,
      shared: true,
      work: () => pruneAuditLog(database, daysAgo(clock, settings.auditRetentionDays)),
    },
    {
      name: 'names of cells',
      everyMs: 1_000,
      work: () => publishCellNames({ database, logger, outward, dnsOf, domain }),
    },
    {
      name: 'moves',
      everyMs: 1_000,
      work: () =>
        bringMovesOn({
          ...deps,
          replicationAddress: (cellId) => replicationAddress(database, cellId),
          passOnMs: settings.movePassOnSeconds * 1000,
        }),
    },
    {
      name: 'zones',
      everyMs: 60_000,
      shared: true,
      work: () => compareZones({ ...deps, regions: regions.map((region) => region.id), domain, graceMs }),
    },
    ...orphanRounds({
      ...deps,
      regions,
      driverOf: (region) => deps.driver(region.id),
      cellDatabaseUrl: settings.cellDatabaseUrl,
      graceMs,
    }),
    {
      name: 'orphan namespaces',
      everyMs: 60_000,
      shared: true,
      work: (signal) => collectOrphanNamespaces({ ...deps, signal }),
    },
    {
      name: 'orphan nexus endpoints',
      everyMs: 60_000,
      shared: true,
      work: (signal) => collectOrphanNexusEndpoints({ ...deps, signal }),
    },
  ]
}

function daysAgo(clock: Clock, days: number): Date {
  return new Date(clock.now().getTime() - days * 86_400_000)
}
