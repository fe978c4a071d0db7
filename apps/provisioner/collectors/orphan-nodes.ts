import { systemActor } from '#libs/authz'
import { type Clock, coerceError } from '#libs/base'
import { listNodes } from '#libs/store/nodes'
import type { NodeDriver } from '../drivers/contract.ts'
import type { Outward } from '../reconcilers/outward.ts'
import type { CollectorDeps } from './overdue-operations.ts'

export interface OrphanNodesDeps extends CollectorDeps {
  readonly clock: Clock
  readonly outward: Outward
  readonly drivers: readonly NodeDriver[]
  /** Milliseconds that a node without a row is left alone: its row may be on the way. */
  readonly graceMs: number
}

const system = systemActor('orphan-nodes')

/**
 * Stops nodes that no row owns. The world is listed before the rows: a node that is made in between has its row by
 * then, and the other order would take it for an orphan.
 */
export async function collectOrphanNodes(deps: OrphanNodesDeps): Promise<number> {
  let collected = 0
  for (const driver of deps.drivers) {
    const running = await driver.list()
    const rows = await listNodes(deps.database.all, system.authorize('node', 'list', { fleet: true }), undefined)
    const owned = new Set(rows.map((row) => row.id))
    const oldest = deps.clock.now().getTime() - deps.graceMs
    for (const node of running) {
      if (owned.has(node.nodeId) || node.createdAt.getTime() > oldest) continue
      try {
        await deps.outward('collect-node', () => driver.delete(node.nodeId))
        deps.logger.warn({ node: node.nodeId, cell: node.cellId, driver: driver.name }, 'orphan node collected')
        collected += 1
      } catch (thrown) {
        deps.logger.error({ node: node.nodeId, err: coerceError(thrown) }, 'orphan node not collected')
      }
    }
  }
  return collected
}
