import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { cellHost, nameTtlSeconds } from '#libs/domain/names'
import type { Database } from '#libs/store'
import { type CellName, listCellNames, recordCellName } from '#libs/store/names'
import type { Logger } from '#libs/telemetry'
import type { DnsOf } from '../../dns/kept-names.ts'
import type { Outward } from '../outward.ts'

export interface CellNamesDeps {
  readonly database: Database
  readonly logger: Logger
  readonly outward: Outward
  readonly dnsOf: DnsOf
  readonly domain: string
}

const system = systemActor('cell-names')

/**
 * Has the name of every cell lead to its edges that are ready and stay: one that drains is left out with the next round. A
 * cell whose edges are all gone keeps the name that it had, since resolvers remember that there was none.
 */
export async function publishCellNames(deps: CellNamesDeps): Promise<void> {
  const cells = await listCellNames(deps.database.all, system.authorize('cell', 'list', { fleet: true }))
  await Promise.all(cells.filter((cell) => !isPublished(deps, cell)).map((cell) => publish(deps, cell)))
}

function isPublished({ dnsOf }: CellNamesDeps, { region, gone, observed, addresses }: CellName): boolean {
  if (gone) return observed === null
  if (dnsOf(region).name === 'none' || addresses.length === 0) return true
  return observed?.kind === 'present' && observed.values?.join() === addresses.join()
}

async function publish(deps: CellNamesDeps, cell: CellName): Promise<void> {
  const { database, dnsOf, domain, outward, logger } = deps
  const { id: cellId, observed, addresses: values } = cell
  const proof = system.authorize('cell', 'update', { cellId })
  const dns = dnsOf(cell.region)
  const name = cellHost(cellId, domain)
  const before = observed?.values === undefined ? {} : { values: observed.values }
  try {
    await recordCellName(database.all, proof, { ...before, kind: 'unknown' })
    if (cell.gone) {
      await outward('withdraw-cell-name', () => dns.remove(name))
      await recordCellName(database.all, proof, null)
    } else {
      await outward('publish-cell-name', () => dns.ensure({ name, type: 'A', values, ttl: nameTtlSeconds }))
      await recordCellName(database.all, proof, { kind: 'present', values })
    }
  } catch (thrown) {
    // The next round tries again. Its namespaces wait, and say why.
    const error = coerceError(thrown)
    logger.error({ cell: cellId, err: error }, 'the name of a cell could not be changed')
    await recordCellName(database.all, proof, { ...before, kind: 'unknown', reason: error.message })
  }
}
