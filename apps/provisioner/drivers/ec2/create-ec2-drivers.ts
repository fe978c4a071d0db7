import { systemClock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { Ec2Driver } from './driver.ts'
import { type Ec2Options, readEc2Options } from './ec2-options.ts'
import { createSdkAdapter } from './sdk-adapter.ts'
import { StoredLaunchJournal } from './stored-launch-journal.ts'
import { StoredMailbox } from './stored-mailbox.ts'

export interface CreateEc2DriversDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly logger: Logger
}

/**
 * A driver for each region with nodes on EC2, by region id. AWS' SDK finds its credentials by itself.
 * @throws Error that says which option of which region is wrong, and when two regions would take each other's machines for theirs
 */
export function createEc2Drivers(
  deps: CreateEc2DriversDeps,
  regions: readonly Region[],
): ReadonlyMap<string, Ec2Driver> {
  const drivers = new Map<string, Ec2Driver>()
  const owners = new Map<string, string>()
  for (const { id, driver, options: written } of regions) {
    if (driver !== 'ec2') continue
    const options = readEc2Options(id, written)
    const place = `${options.awsRegion} as ${options.installation}`
    const owner = owners.get(place)
    if (owner !== undefined) {
      throw new Error(
        `AQUEDUCT_REGIONS: the regions ${owner} and ${id} are both in ${place}: give one of them another options.installation`,
      )
    }
    owners.set(place, id)
    drivers.set(id, createDriver(deps, id, options))
  }
  return drivers
}

function createDriver(
  { database, sealer, logger }: CreateEc2DriversDeps,
  regionId: string,
  options: Ec2Options,
): Ec2Driver {
  const { awsRegion, endpoint } = options
  return new Ec2Driver({
    options,
    calls: createSdkAdapter({ region: awsRegion, ...(endpoint === undefined ? {} : { endpoint }) }),
    mailbox: new StoredMailbox({ database, sealer }),
    journal: new StoredLaunchJournal({ database }),
    clock: systemClock,
    logger: logger.child({ region: regionId }),
  })
}
