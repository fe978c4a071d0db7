import { systemActor } from '#libs/authz'
import { findWanted } from '#libs/store/namespaces'
import { ownerKey } from '../reconcilers/namespaces/execute.ts'
import { type CellCollectorDeps, collectInReadyCells } from './in-ready-cells.ts'

const system = systemActor('orphan-namespaces')

/**
 * Deletes namespaces on cells whose row does not want them there: a deletion whose answer was lost, a writer that came too
 * late. One with our mark and no row at all is left alone and told of: rows stay for ever, so the database is older than
 * the cell (a restored backup, most likely), and what it does not know of is somebody's data.
 */
export async function collectOrphanNamespaces(deps: CellCollectorDeps): Promise<number> {
  const proof = system.authorize('cell', 'list', { fleet: true })
  return collectInReadyCells(deps, proof, 'orphans', async (client, cellId) => {
    const marked = (await client.listNamespaces()).filter(
      (namespace) => ownerKey in namespace.data && namespace.state !== 'deleted',
    )
    const names = marked.map((namespace) => namespace.name)
    const wanted = await findWanted(deps.database.all, system.authorize('cell', 'read', { cellId }), names)
    const strangers = names.filter((name) => !wanted.has(name))
    if (strangers.length > 0) {
      deps.logger.error(
        { cell: cellId, namespaces: strangers.slice(0, 20), count: strangers.length },
        'namespaces on a cell have no row: was the database restored from a backup? They are left alone',
      )
    }
    const orphans = names.filter((name) => wanted.get(name) === false)
    for (const orphan of orphans) {
      await deps.outward('collect-namespace', () => client.deleteNamespace(orphan))
      deps.logger.warn({ namespace: orphan, cell: cellId }, 'orphan namespace collected')
    }
    return orphans.length
  })
}
