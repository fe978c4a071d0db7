import { textOf, withoutItems } from './query.ts'

export interface ScheduledEvent {
  /** `instance-retirement`, `system-maintenance` */
  readonly code: string
  readonly notBefore: Date
  readonly description: string
}

/** What EC2 shows late, or not as Moto does. Times are those of the test's clock. */
export class Instances {
  readonly #now: () => number
  readonly #visibleAt = new Map<string, number>()
  readonly #runningAt = new Map<string, number>()
  readonly #events = new Map<string, ScheduledEvent[]>()
  readonly #impaired = new Set<string>()
  #hideMs = 0
  #pendingMs = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Machines and addresses that are made from now on are not shown for so long. */
  hideNewFor(ms: number): void {
    this.#hideMs = ms
  }

  /** Machines that are launched from now on are pending for so long. */
  pendingFor(ms: number): void {
    this.#pendingMs = ms
  }

  schedule(instanceId: string, event: ScheduledEvent): void {
    this.#events.set(instanceId, [...(this.#events.get(instanceId) ?? []), event])
  }

  /** Its status check fails. */
  impair(instanceId: string): void {
    this.#impaired.add(instanceId)
  }

  made(id: string): void {
    this.#visibleAt.set(id, this.#now() + this.#hideMs)
    this.#runningAt.set(id, this.#now() + this.#pendingMs)
  }

  /** It is not shown any more, as EC2 does with what ended an hour ago. */
  hide(id: string): void {
    this.#visibleAt.set(id, Number.POSITIVE_INFINITY)
  }

  isHidden(id: string): boolean {
    return (this.#visibleAt.get(id) ?? 0) > this.#now()
  }

  /** The answers to Describe calls as they are to be seen now. */
  shown(action: string, xml: string): string {
    if (action === 'DescribeAddresses') {
      return withoutItems(xml, 'addressesSet', (item) => this.isHidden(textOf(item, 'allocationId') ?? ''))
    }
    if (action !== 'DescribeInstances') return xml
    const visible = withoutItems(xml, 'reservationSet', (item) => this.isHidden(textOf(item, 'instanceId') ?? ''))
    return visible.replaceAll(
      /(<instanceId>([^<]*)<\/instanceId><imageId>[^<]*<\/imageId><instanceState>)<code>16<\/code><name>running<\/name>/g,
      (all, head: string, id: string) =>
        (this.#runningAt.get(id) ?? 0) > this.#now() ? `${head}<code>0</code><name>pending</name>` : all,
    )
  }

  /** The answer to DescribeInstanceStatus, for one filter: Moto knows neither filters nor events. */
  statusXml(filter: string): string {
    const asked: Readonly<Record<string, Iterable<string>>> = {
      'event.code': this.#events.keys(),
      'instance-status.status': this.#impaired,
      'system-status.status': [],
    }
    const items = [...(asked[filter] ?? [])].map((id) => this.#statusItem(id)).join('')
    const xmlns = 'http://ec2.amazonaws.com/doc/2016-11-15/'
    return `<DescribeInstanceStatusResponse xmlns="${xmlns}"><instanceStatusSet>${items}</instanceStatusSet></DescribeInstanceStatusResponse>`
  }

  #statusItem(id: string): string {
    const events = (this.#events.get(id) ?? []).map(
      ({ code, notBefore, description }) =>
        `<item><code>${code}</code><description>${description}</description><notBefore>${notBefore.toISOString()}</notBefore></item>`,
    )
    const status = this.#impaired.has(id) ? 'impaired' : 'ok'
    return [
      `<item><instanceId>${id}</instanceId><eventsSet>${events.join('')}</eventsSet>`,
      `<instanceStatus><status>${status}</status></instanceStatus><systemStatus><status>ok</status></systemStatus></item>`,
    ].join('')
  }
}
