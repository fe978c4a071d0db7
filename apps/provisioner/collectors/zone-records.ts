import { systemActor } from '#libs/authz'
import { type Clock, coerceError } from '#libs/base'
import { cellHost, namespaceHost, nameTtlSeconds } from '#libs/domain/names'
import { findNameOwners, listPublishedNames, type NameOwner } from '#libs/store/names'
import { recordCollected, recordSightings, type Sighting } from '#libs/store/sightings'
import { type Dns, type DnsRecord, type OwnedName, sameRecord } from '../dns/contract.ts'
import type { DnsOf } from '../dns/kept-names.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface ZoneRecordsDeps extends CollectorDeps {
  readonly clock: Clock
  readonly outward: Outward
  readonly dnsOf: DnsOf
  /** Ids of all regions. */
  readonly regions: readonly string[]
  readonly domain: string
  /** Milliseconds that a record without a row is left alone. */
  readonly graceMs: number
}

const system = systemActor('zone-records')
const proof = system.authorize('orphan', 'update', { fleet: true })

/**
 * Compares every zone with the rows: what no row wants any more is deleted after its grace, and what a row had published is
 * made again if somebody took it away or changed it. Names that no row ever had are told of and left alone, as are all that
 * do not carry our mark: those are not even seen here.
 * @returns how many names were deleted.
 */
export async function compareZones(deps: ZoneRecordsDeps): Promise<number> {
  const zones = Map.groupBy(deps.regions, (region) => deps.dnsOf(region).zone)
  let collected = 0
  for (const regions of zones.values()) {
    const [first] = regions
    if (first === undefined || deps.dnsOf(first).name === 'none') continue
    collected += await compareZone(deps, deps.dnsOf(first), regions)
  }
  return collected
}

async function compareZone(deps: ZoneRecordsDeps, dns: Dns, regions: readonly string[]): Promise<number> {
  // Rows that are settled before the zone, and the zone before the rows that own: whatever happens meanwhile is neither
  // lost nor an orphan.
  const published = await listPublishedNames(deps.database.all, proof, regions)
  const listed = await dns.list()
  await mend(deps, dns, published, listed)
  return collect(deps, dns, listed)
}

async function mend(deps: ZoneRecordsDeps, dns: Dns, published: readonly NameOwner[], listed: readonly OwnedName[]) {
  const present = new Map(listed.map(({ name, record }) => [name, record]))
  for (const before of published) {
    const wish = recordFor(deps, before)
    const found = wish && present.get(wish.name)
    if (wish === undefined || (found !== undefined && sameRecord(found, wish))) continue
    const now = (await findNameOwners(deps.database.all, proof, [before.id])).get(before.id)
    const still = now?.wanted ? recordFor(deps, now) : undefined
    if (still === undefined || !sameRecord(still, wish)) continue
    await attempt(deps, wish.name, async () => {
      await deps.outward('mend-name', () => dns.ensure(wish))
      deps.logger.warn({ name: wish.name, found: found?.values }, 'somebody changed a DNS record, and it was set back')
    })
  }
}

async function collect(deps: ZoneRecordsDeps, dns: Dns, listed: readonly OwnedName[]): Promise<number> {
  const { database, clock, domain, graceMs, logger } = deps
  const at = clock.now()
  const scope = `dns/${dns.zone}`
  const ids = new Map(listed.map(({ name }) => [name, ownerIdOf(name, domain)]))
  const owners = await findNameOwners(database.all, proof, [...ids.values()])
  const unowned = listed.flatMap(({ name }) => {
    const owner = owners.get(ids.get(name) ?? '')
    if (owner?.wanted) return []
    return [{ kind: 'dns_record' as const, id: name, cellId: owner?.cellId ?? '', stranger: owner === undefined }]
  })
  const sightings = await database.all
    .transaction()
    .execute((trx) => recordSightings(trx, proof, { scope, kinds: ['dns_record'], unowned, at }))
  const strangers = sightings.filter(({ stranger }) => stranger)
  if (strangers.length > 0) {
    const names = strangers.slice(0, 20).map(({ id }) => id)
    logger.error({ names, count: strangers.length }, 'DNS records of ours have no row: they are left alone')
  }
  const due = sightings.filter((one) => !one.stranger && isDue(one, at, graceMs))
  let collected = 0
  for (const { id } of due) {
    await attempt(deps, id, async () => {
      await deps.outward('collect-name', () => dns.remove(id))
      await database.all
        .transaction()
        .execute((trx) => recordCollected(trx, proof, { scope, kind: 'dns_record', id, at: clock.now() }))
      logger.warn({ name: id }, 'orphan DNS record collected')
      collected += 1
    })
  }
  return collected
}

function isDue({ firstSeenAt }: Sighting, now: Date, graceMs: number): boolean {
  return now.getTime() - firstSeenAt.getTime() >= graceMs
}

/** One name that cannot be changed stops no other. */
async function attempt(deps: ZoneRecordsDeps, name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (thrown) {
    deps.logger.error({ name, err: coerceError(thrown) }, 'a DNS record could not be changed')
  }
}

/** What was published for it; undefined while that is on the way. */
function recordFor({ domain }: ZoneRecordsDeps, { id, values, cellId }: NameOwner): DnsRecord | undefined {
  if (values === undefined) return undefined
  if (id === cellId) return { name: cellHost(id, domain), type: 'A', values, ttl: nameTtlSeconds }
  return { name: namespaceHost(id, domain), type: 'CNAME', values, ttl: nameTtlSeconds }
}

function ownerIdOf(name: string, domain: string): string {
  const id = name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name
  return id.endsWith('.cells') ? id.slice(0, -'.cells'.length) : id
}
