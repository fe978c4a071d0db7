import { cellHost, namespaceHost, nameTtlSeconds } from '#libs/domain/names'
import type { NameAccess } from '../reconcilers/namespaces/name-access.ts'
import type { Dns } from './contract.ts'

/** Where a region keeps its names. One that is not configured any more keeps none. */
export type DnsOf = (region: string) => Dns

/** The names of namespaces, kept by whoever keeps those of their region. */
export function keptNames(dnsOf: DnsOf, domain: string): NameAccess {
  return {
    targetOf: (region, cellId) => (dnsOf(region).name === 'none' ? undefined : cellHost(cellId, domain)),
    publish: (region, namespaceId, target) =>
      dnsOf(region).ensure({
        name: namespaceHost(namespaceId, domain),
        type: 'CNAME',
        values: [target],
        ttl: nameTtlSeconds,
      }),
    withdraw: (region, namespaceId) => dnsOf(region).remove(namespaceHost(namespaceId, domain)),
  }
}
