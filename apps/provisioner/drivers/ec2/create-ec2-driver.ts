import { systemClock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { Ec2Driver } from './driver.ts'
import { readEc2Options } from './ec2-options.ts'
import { createSdkAdapter } from './sdk-adapter.ts'
import { StoredLaunchJournal } from './stored-launch-journal.ts'
import { StoredMailbox } from './stored-mailbox.ts'

export interface CreateEc2DriverDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly logger: Logger
}

/** The driver of one region. AWS' SDK finds its credentials by itself. @throws Error when an option is wrong, and says which. */
export function createEc2Driver({ database, sealer, logger }: CreateEc2DriverDeps, region: Region): Ec2Driver {
  const options = readEc2Options(region.id, region.options)
  const { awsRegion, endpoint } = options
  return new Ec2Driver({
    options,
    calls: createSdkAdapter({ region: awsRegion, ...(endpoint === undefined ? {} : { endpoint }) }),
    mailbox: new StoredMailbox({ database, sealer }),
    journal: new StoredLaunchJournal({ database }),
    clock: systemClock,
    logger: logger.child({ region: region.id }),
  })
}
