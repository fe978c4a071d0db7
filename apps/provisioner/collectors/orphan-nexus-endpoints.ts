import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { nexusEndpointUrl } from '#libs/domain/edges'
import { listCells } from '#libs/store/cells'
import { findNexusNames, listSettledNexusNames } from '#libs/store/nexus-endpoints'
import { wakeDoubted } from '../reconcilers/nexus-endpoints/wake-doubted.ts'
import type { OrphanNamespacesDeps } from './orphan-namespaces.ts'

const system = systemActor('orphan-nexus-endpoints')
const cellsPerPage = 100

/**
 * Deletes names of Nexus endpoints that no row wants on its cell any more, and finds those that a row settled on and the
 * cell lost: names are shared by the tenants of a cell, so that one's deletion and another's creation may meet.
 * @returns how many names were deleted.
 */
export async function collectOrphanNexusEndpoints(deps: OrphanNamespacesDeps): Promise<number> {
  let collected = 0
  for (let after = ''; ; ) {
    const cells = await listCells(deps.database.all, system.authorize('cell', 'list', { fleet: true }), {
      after,
      limit: cellsPerPage,
    })
    for (const cell of cells) if (cell.state === 'ready') collected += await collectInCell(deps, cell.id)
    const last = cells.at(-1)
    if (last === undefined || cells.length < cellsPerPage) return collected
    after = last.id
  }
}

async function collectInCell(deps: OrphanNamespacesDeps, cellId: string): Promise<number> {
  const { all } = deps.database
  try {
    const client = await deps.cellClient(cellId)
    // Settled before the cell was asked: what settles meanwhile is not taken for lost. And the other way round below.
    const settled = await listSettledNexusNames(all, cellId)
    const present = await client.listNexusEndpoints()
    const ours = present.filter(({ name, url }) => url === nexusEndpointUrl(name)).map(({ name }) => name)
    const there = new Set(ours)
    const lost = [...new Set(settled.map(({ name }) => name))].filter((name) => !there.has(name))
    const wanted = await findNexusNames(all, cellId, ours)
    const orphans = ours.filter((name) => !wanted.has(name))
    for (const name of orphans) {
      await deps.outward('collect-nexus-endpoint', () => client.deleteNexusEndpoint(name))
      deps.logger.warn({ endpoint: name, cell: cellId }, 'orphan Nexus endpoint collected')
    }
    if (lost.length > 0) deps.logger.warn({ endpoints: lost.slice(0, 20), cell: cellId }, 'the cell lost endpoints')
    await wakeDoubted(deps.database, cellId, [...orphans, ...lost])
    return orphans.length
  } catch (thrown) {
    deps.logger.warn({ cell: cellId, err: coerceError(thrown) }, 'a cell could not be searched for Nexus endpoints')
    return 0
  }
}
