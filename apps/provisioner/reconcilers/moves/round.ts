import { systemActor } from '#libs/authz'
import { hasFrontend, nodePorts } from '#libs/domain/nodes'
import type { Database } from '#libs/store'
import { listMovesToDo } from '#libs/store/moves'
import { listNodes } from '#libs/store/nodes'
import { type MoveReconcilerDeps, reconcileMove } from './reconcile.ts'

const system = systemActor('moves')
/** Namespaces that leave one cell at once: each costs both cells some of what their tenants have. */
const atOnce = 4

/** Brings every move on, as far as it goes without waiting. */
export async function bringMovesOn(deps: MoveReconcilerDeps): Promise<void> {
  const ids = await listMovesToDo(deps.database.all, system.authorize('move', 'list', { fleet: true }), atOnce)
  await Promise.all(
    ids.map(async (id) => {
      for (let next = await reconcileMove(deps, id); next.kind === 'again' && next.afterMs === 0; ) {
        next = await reconcileMove(deps, id)
      }
    }),
  )
}

/** Where other cells replicate with this one: any node with a frontend knows the way to all of the cell. */
export async function replicationAddress(database: Database, cellId: string): Promise<string | undefined> {
  const nodes = await listNodes(database.all, system.authorize('node', 'list', { fleet: true }), cellId)
  const node = nodes.find(({ role, state, address }) => hasFrontend(role) && state === 'ready' && address !== null)
  return node && `${node.address}:${nodePorts.internalFrontend}`
}
