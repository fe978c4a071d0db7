import { systemActor } from '#libs/authz'
import { nexusEndpointUrl } from '#libs/domain/edges'
import { findNexusNames, listSettledNexusNames } from '#libs/store/nexus-endpoints'
import { wakeDoubted } from '../reconcilers/nexus-endpoints/wake-doubted.ts'
import { type CellCollectorDeps, collectInReadyCells } from './in-ready-cells.ts'

const system = systemActor('orphan-nexus-endpoints')

/**
 * Deletes names of Nexus endpoints that no row wants on its cell any more, and finds those that a row settled on and the
 * cell lost: names are shared by the tenants of a cell, so that one's deletion and another's creation may meet.
 * @returns how many names were deleted.
 */
export async function collectOrphanNexusEndpoints(deps: CellCollectorDeps): Promise<number> {
  const proof = system.authorize('cell', 'list', { fleet: true })
  return collectInReadyCells(deps, proof, 'Nexus endpoints', async (client, cellId) => {
    const mayRead = system.authorize('cell', 'read', { cellId })
    // Settled before the cell was asked: what settles meanwhile is not taken for lost. And the other way round below.
    const settled = await listSettledNexusNames(deps.database.all, mayRead)
    const present = await client.listNexusEndpoints()
    const ours = present.filter(({ name, url }) => url === nexusEndpointUrl(name)).map(({ name }) => name)
    const there = new Set(ours)
    const lost = [...new Set(settled.map(({ name }) => name))].filter((name) => !there.has(name))
    const wanted = await findNexusNames(deps.database.all, mayRead, ours)
    const orphans = ours.filter((name) => !wanted.has(name))
    for (const name of orphans) {
      await deps.outward('collect-nexus-endpoint', () => client.deleteNexusEndpoint(name))
      deps.logger.warn({ endpoint: name, cell: cellId }, 'orphan Nexus endpoint collected')
    }
    if (lost.length > 0) deps.logger.warn({ endpoints: lost.slice(0, 20), cell: cellId }, 'the cell lost endpoints')
    await wakeDoubted(deps.database, cellId, [...orphans, ...lost])
    return orphans.length
  })
}
