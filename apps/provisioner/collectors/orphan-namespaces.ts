import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { listCells } from '#libs/store/cells'
import { findNamespaceIds } from '#libs/store/namespaces'
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
 * Deletes namespaces on cells that no row owns. Only ours: one without our mark was made by an operator by hand. The
 * row of a namespace is there before the cell hears of it and stays for ever, so there is no grace to wait out; the
 * world is listed first all the same.
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
    const owned = await findNamespaceIds(
      deps.database.all,
      cellId,
      marked.map((namespace) => namespace.name),
    )
    const orphans = marked.filter((namespace) => !owned.has(namespace.name))
    for (const orphan of orphans) {
      await deps.outward('collect-namespace', () => client.deleteNamespace(orphan.name))
      deps.logger.warn({ namespace: orphan.name, cell: cellId }, 'orphan namespace collected')
    }
    return orphans.length
  } catch (thrown) {
    deps.logger.warn({ cell: cellId, err: coerceError(thrown) }, 'a cell could not be searched for orphans')
    return 0
  }
}
