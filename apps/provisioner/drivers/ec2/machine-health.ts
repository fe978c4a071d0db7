import { type Clock, coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import type { MachineNotice } from '../contract.ts'
import type { Ec2Calls, MachineStatus, StatusFilter } from './ec2-calls.ts'
import { everyPage } from './machine-reader.ts'

export interface MachineHealthDeps {
  readonly calls: Pick<Ec2Calls, 'describeInstanceStatus'>
  readonly clock: Clock
  readonly logger: Logger
}

/** What EC2 says of a machine's health; a machine about which it has nothing to say is not in it. */
export interface Health {
  /** Its host or its system does not answer EC2's own checks. */
  readonly impaired: boolean
  readonly notice?: MachineNotice
}

/** Milliseconds for which the answers are kept: events are announced days ahead, and checks run once a minute. */
const keptMs = 60_000
const questions: readonly StatusFilter[] = ['with-events', 'with-failed-instance-check', 'with-failed-system-check']

/** Asks once a minute for the few machines of the region that have something to say, whatever their number. */
export class MachineHealth {
  readonly #deps: MachineHealthDeps
  #asked: { readonly at: number; readonly answer: Promise<ReadonlyMap<string, Health>> } | undefined

  constructor(deps: MachineHealthDeps) {
    this.#deps = deps
  }

  /** Never fails: without an answer, the last one counts. */
  async read(): Promise<ReadonlyMap<string, Health>> {
    const now = this.#deps.clock.now().getTime()
    if (this.#asked === undefined || now - this.#asked.at >= keptMs) {
      const before = this.#asked?.answer
      this.#asked = { at: now, answer: this.#ask(before) }
    }
    return this.#asked.answer
  }

  async #ask(before: Promise<ReadonlyMap<string, Health>> | undefined): Promise<ReadonlyMap<string, Health>> {
    try {
      const answers = await Promise.all(
        questions.map((of) => everyPage((page) => this.#deps.calls.describeInstanceStatus({ of, ...page }))),
      )
      const now = this.#deps.clock.now()
      const found = new Map<string, Health>()
      for (const status of answers.flat()) found.set(status.machineId, healthOf(status, now))
      return found
    } catch (thrown) {
      this.#deps.logger.warn({ err: coerceError(thrown) }, 'EC2 does not say how machines are')
      return (await before) ?? new Map()
    }
  }
}

function healthOf({ impaired, events }: MachineStatus, now: Date): Health {
  const [first] = events
    // EC2 shows events for a week after they are over, and says so at the beginning of the text.
    .filter(({ description }) => !/^\[(Completed|Canceled)\]/.test(description))
    .toSorted((a, b) => (a.notBefore ?? now).getTime() - (b.notBefore ?? now).getTime())
  if (first === undefined) return { impaired }
  return { impaired, notice: { kind: 'maintenance', at: first.notBefore ?? now, detail: first.code } }
}
