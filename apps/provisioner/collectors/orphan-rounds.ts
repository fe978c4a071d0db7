import type { Region } from '#libs/config'
import { Counter, type Registry } from '#libs/telemetry'
import type { NodeDriver } from '../drivers/contract.ts'
import type { Round } from '../rounds.ts'
import { collectOrphanDatabases } from './orphan-databases.ts'
import { collectOrphanMachines, type DriverScope } from './orphan-machines.ts'
import type { OrphansDeps } from './orphans.ts'

export interface OrphanRoundsDeps extends Omit<OrphansDeps, 'onCollected' | 'signal'> {
  readonly registry: Registry
  readonly regions: readonly Region[]
  readonly driverOf: (region: Region) => NodeDriver
  readonly cellDatabaseUrl: string
  readonly installation: string
}

/** Milliseconds. With the time that a replica's death costs, an orphan is gone within a minute of its grace. */
const everyMs = 15_000

/** The rounds that delete what no row owns: one a driver, and one over the cells' databases, so that none waits for another. */
export function orphanRounds(deps: OrphanRoundsDeps): readonly Round[] {
  const collected = new Counter({
    name: 'aqueduct_collected_total',
    help: 'Things that no row owned and that were deleted',
    labelNames: ['kind'],
    registers: [deps.registry],
  })
  const common = (signal: AbortSignal) => ({
    ...deps,
    signal,
    onCollected: (kind: string) => collected.inc({ kind }),
  })
  return [
    ...driverScopes(deps.regions, deps.driverOf).map((scope) => ({
      name: `orphans of ${scope.name}`,
      everyMs,
      shared: true,
      work: (signal: AbortSignal) => collectOrphanMachines(common(signal), scope),
    })),
    {
      name: 'orphan databases',
      everyMs,
      shared: true,
      work: (signal) => collectOrphanDatabases({ ...common(signal), adminUrl: deps.cellDatabaseUrl }),
    },
  ]
}

/** Every driver once, with the regions that it serves. */
function driverScopes(regions: readonly Region[], driverOf: (region: Region) => NodeDriver): readonly DriverScope[] {
  return [...Map.groupBy(regions, driverOf)].map(([driver, served]) => ({
    name: driver.name === 'ec2' ? `ec2 ${served.map((region) => region.id).join(' ')}` : driver.name,
    driver,
    regions: served.map((region) => region.id),
  }))
}
