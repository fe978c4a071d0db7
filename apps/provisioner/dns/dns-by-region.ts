import type { Region } from '#libs/config'
import type { Dns } from './contract.ts'
import type { DnsOf } from './kept-names.ts'
import { noDns } from './no-dns.ts'
import { route53Api } from './route53-api.ts'
import { Route53Dns } from './route53-dns.ts'

/** One for each zone, so that regions with the same one write it in turn. */
export function dnsByRegion(regions: readonly Region[], installation: string): DnsOf {
  const zones = new Map<string, Dns>()
  const byRegion = new Map<string, Dns>()
  for (const { id, dns } of regions) {
    if (dns.provider === 'none') continue
    const zone = zones.get(dns.hostedZoneId) ?? new Route53Dns(route53Api(dns), dns.hostedZoneId, installation)
    zones.set(dns.hostedZoneId, zone)
    byRegion.set(id, zone)
  }
  return (region) => byRegion.get(region) ?? noDns
}
