import { systemActor } from '#libs/authz'
import { enqueue } from '#libs/jobs'
import type { Database } from '#libs/store'
import { listUnsettled } from '#libs/store/namespaces'
import { listUnsettledNexusEndpoints } from '#libs/store/nexus-endpoints'
import { listNodes } from '#libs/store/nodes'
import { listOpenRollouts } from '#libs/store/rollouts'
import { everyCell } from './every-cell.ts'

const system = systemActor('clock')
const batch = 500

/** Wakes namespaces that are under way and that nobody works on: their wake-up was lost, or their worker died. */
export async function wakeUnsettledNamespaces(database: Database): Promise<void> {
  const proof = system.authorize('operation', 'list', { fleet: true })
  for (const { id } of await listUnsettled(database.all, proof, batch)) {
    await enqueue(database.all, 'reconcile-namespace', { namespaceId: id })
  }
}

/** The same for Nexus endpoints. */
export async function wakeUnsettledNexusEndpoints(database: Database): Promise<void> {
  const proof = system.authorize('operation', 'list', { fleet: true })
  for (const endpointId of await listUnsettledNexusEndpoints(database.all, proof, batch)) {
    await enqueue(database.all, 'reconcile-nexus-endpoint', { endpointId })
  }
}

/** The same for rollouts: they are looked at for as long as they are open. */
export async function wakeOpenRollouts(database: Database): Promise<void> {
  const proof = system.authorize('rollout', 'list', { fleet: true })
  for (const rolloutId of await listOpenRollouts(database.all, proof)) {
    await enqueue(database.all, 'reconcile-rollout', { rolloutId })
  }
}

/** Wakes every cell and node: what was ready may not be any more. */
export async function wakeCellsAndNodes(database: Database): Promise<void> {
  for await (const cell of everyCell(database.all, system.authorize('cell', 'list', { fleet: true }))) {
    await enqueue(database.all, 'reconcile-cell', { cellId: cell.id })
  }
  for (const node of await listNodes(database.all, system.authorize('node', 'list', { fleet: true }), undefined)) {
    await enqueue(database.all, 'reconcile-node', { nodeId: node.id })
  }
}
