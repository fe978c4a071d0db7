import { pino } from 'pino'
import { Ec2Driver } from '../../../apps/provisioner/drivers/ec2/driver.ts'
import { type Ec2Options, readEc2Options } from '../../../apps/provisioner/drivers/ec2/ec2-options.ts'
import { createSdkAdapter } from '../../../apps/provisioner/drivers/ec2/sdk-adapter.ts'
import { FaultProxy } from '../ec2-fault-proxy/proxy.ts'
import { startMoto } from '../moto.ts'
import { type MotoRegion, makeMotoRegion, motoCredentials } from '../moto-region.ts'
import { ShiftedClock } from '../shifted-clock.ts'
import { MemoryJournal } from './memory-journal.ts'
import { MemoryMailbox } from './memory-mailbox.ts'
import { StandInMachines } from './stand-in-machines.ts'

/** A region on Moto behind the fault proxy, and everything that a driver of it needs. */
export interface Ec2World {
  readonly proxy: FaultProxy
  readonly clock: ShiftedClock
  readonly mailbox: MemoryMailbox
  readonly journal: MemoryJournal
  readonly machines: StandInMachines
  readonly region: MotoRegion
  readonly options: Ec2Options
  /** Moto's own URL, past the proxy. */
  readonly motoUrl: string
  /** One more driver of this region, as another provisioner has it. */
  driver(other?: { readonly options?: Ec2Options; readonly timeoutMs?: number }): Ec2Driver
  stop(): Promise<void>
}

export async function startEc2World(): Promise<Ec2World> {
  const moto = await startMoto()
  const clock = new ShiftedClock()
  const region = await makeMotoRegion(moto.url, 'test')
  const proxy = await FaultProxy.start({ upstream: moto.url, zones: region.zones, clock })
  const options = readEc2Options('aws-us-east-1', { ...region.options, endpoint: proxy.url })
  const mailbox = new MemoryMailbox(clock)
  const journal = new MemoryJournal()
  const machines = new StandInMachines(moto.url, mailbox)
  const adapters: { close(): void }[] = []
  return {
    proxy,
    clock,
    mailbox,
    journal,
    machines,
    region,
    options,
    motoUrl: moto.url,
    driver: ({ timeoutMs, ...other } = {}) => {
      const calls = createSdkAdapter({
        region: options.awsRegion,
        endpoint: proxy.url,
        credentials: motoCredentials,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
      adapters.push(calls)
      return new Ec2Driver({ options, calls, mailbox, journal, clock, logger: pino({ enabled: false }), ...other })
    },
    stop: async () => {
      await machines.stop()
      for (const adapter of adapters) adapter.close()
      await proxy.stop()
      await moto.stop()
    },
  }
}
