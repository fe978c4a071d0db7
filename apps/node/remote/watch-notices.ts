import { setTimeout as delay } from 'node:timers/promises'
import { coerceError } from '#libs/base'
import type { NodeNotice } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import type { MachineMetadata } from './metadata.ts'
import { readInstanceAction, readScheduledEvents } from './notices.ts'

export interface WatchNoticesOptions {
  readonly metadata: MachineMetadata
  readonly onNotice: (notice: NodeNotice | undefined) => void
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** As EC2 recommends: an interruption is announced two minutes ahead. */
const everyMs = 5_000

/** Asks the machine what was announced to it, until `signal` aborts. What is not known stays as it was. */
export async function watchNotices({ metadata, onNotice, logger, signal }: WatchNoticesOptions): Promise<void> {
  let said = ''
  let failing = false
  while (!signal.aborted) {
    try {
      const interruption = readInstanceAction(await metadata.get('meta-data/spot/instance-action'))
      const notice = interruption ?? readScheduledEvents(await metadata.get('meta-data/events/maintenance/scheduled'))
      const text = JSON.stringify(notice ?? '')
      if (notice !== undefined && text !== said) logger.warn({ notice }, 'the provider takes the machine')
      said = text
      failing = false
      onNotice(notice)
    } catch (thrown) {
      if (!failing) logger.warn({ reason: coerceError(thrown).message }, 'the metadata service does not answer')
      failing = true
    }
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
  }
}
