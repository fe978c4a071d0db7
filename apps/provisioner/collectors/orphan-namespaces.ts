import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { listCells } from '#libs/store/cells'
import { findWanted } from '#libs/store/namespaces'
import { ownerKey } from '../reconcilers/namespaces/execute.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CellClient } from '../temporal/cell-client.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface OrphanNamespacesDeps extends CollectorDeps {
  readonly outward: Outward
  readonly cellClient: (cellId: string) => Promise<CellClient>
}

const system = systemActor('orphan-namespaces')
const cellsPerPage = 100

/**
 * Deletes namespaces on cells whose row does not want them there: a deletion whose answer was lost, a writer that came too
 * late. One with our mark and no row at all is left alone and told of: rows stay for ever, so the database is older than
 * the cell (a restored backup, most likely), and what it does not know of is somebody's data.
 */
export async function collectOrphanNamespaces(deps: OrphanNamespacesDeps): Promise<number> {
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
  try {
    const client = await deps.cellClient(cellId)
    const marked = (await client.listNamespaces()).filter(
      (namespace) => ownerKey in namespace.data && namespace.state !== 'deleted',
    )
    const names = marked.map((namespace) => namespace.name)
    const wanted = await findWanted(deps.database.all, cellId, names)
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
  } catch (thrown) {
    deps.logger.warn({ cell: cellId, err: coerceError(thrown) }, 'a cell could not be searched for orphans')
    return 0
  }
}
