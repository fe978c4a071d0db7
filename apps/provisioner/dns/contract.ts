/**
 * Where names are kept. What is made here carries the installation's mark, and nothing without that mark is ever changed
 * or deleted. One contract suite (`test/integration/provisioner/dns/dns.contract.ts`) runs over every provider.
 */
export interface Dns {
  readonly name: 'none' | 'route53' | 'fake'
  /** Which zone: regions can share one, and it is listed as a whole. */
  readonly zone: string
  /**
   * Makes the record be so, and returns when the provider has accepted it; again changes nothing.
   * @throws DnsError `foreign` when the name belongs to somebody else, `changed` when somebody wrote at the same time
   */
  ensure(record: DnsRecord): Promise<void>
  /** Deletes what the installation made under the name. No error when there is nothing, or only what is not ours. */
  remove(name: string): Promise<void>
  /** Everything that the installation made, whether a row wants it or not. */
  list(): Promise<readonly OwnedName[]>
}

export interface DnsRecord {
  /** Lower case, without the dot at the end. */
  readonly name: string
  readonly type: 'A' | 'CNAME'
  /** Addresses, in any order; of a CNAME exactly one name. */
  readonly values: readonly string[]
  /** Seconds. */
  readonly ttl: number
}

export interface OwnedName {
  readonly name: string
  /** Absent when only the mark is left. */
  readonly record?: DnsRecord
}

/**
 * `foreign`: not ours, a person has to decide. `changed`: somebody wrote at the same time; look again. `throttled`: ask
 * later. `denied`, `invalid`, `not_found`: the same call fails until the configuration is another one.
 */
export type DnsErrorKind = 'foreign' | 'changed' | 'throttled' | 'denied' | 'invalid' | 'not_found' | 'unknown'

/** Never reaches a caller as it is: a reconciler turns it into a delay, and into what the operation waits for. */
export class DnsError extends Error {
  override readonly name = 'DnsError'
  readonly kind: DnsErrorKind

  constructor(kind: DnsErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** Whether the two answer the same; the order of values means nothing in DNS. */
export function sameRecord(a: DnsRecord, b: DnsRecord): boolean {
  const text = ({ name, type, values, ttl }: DnsRecord): string => JSON.stringify([name, type, values.toSorted(), ttl])
  return text(a) === text(b)
}
