import { systemActor } from '#libs/authz'
import { enqueue, enqueueAll } from '#libs/jobs'
import type { Database } from '#libs/store'
import { listUnsettled } from '#libs/store/namespaces'
import { listUnsettledNexusEndpoints } from '#libs/store/nexus-endpoints'
import { listOpenRollouts } from '#libs/store/rollouts'

const system = systemActor('clock')
const batch = 500

/** Wakes namespaces that are under way and that nobody works on: their wake-up was lost, or their worker died. */
export async function wakeUnsettledNamespaces(database: Database): Promise<void> {
  const proof = system.authorize('operation', 'list', { fleet: true })
  const namespaces = await listUnsettled(database.all, proof, batch)
  const ids = namespaces.map(({ id }) => id)
  await enqueueAll(database.all, 'reconcile-namespace', 'namespaceId', ids)
}

/** The same for Nexus endpoints. */
export async function wakeUnsettledNexusEndpoints(database: Database): Promise<void> {
  const proof = system.authorize('operation', 'list', { fleet: true })
  const ids = await listUnsettledNexusEndpoints(database.all, proof, batch)
  await enqueueAll(database.all, 'reconcile-nexus-endpoint', 'endpointId', ids)
}

/** The same for rollouts: they are looked at for as long as they are open. */
export async function wakeOpenRollouts(database: Database): Promise<void> {
  const proof = system.authorize('rollout', 'list', { fleet: true })
  for (const rolloutId of await listOpenRollouts(database.all, proof)) {
    await enqueue(database.all, 'reconcile-rollout', { rolloutId })
  }
}
