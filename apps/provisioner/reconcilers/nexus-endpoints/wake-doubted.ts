import { systemActor } from '#libs/authz'
import { enqueue } from '#libs/jobs'
import type { Database } from '#libs/store'
import { doubtNexusEndpoints } from '#libs/store/nexus-endpoints'

const system = systemActor('nexus-doubts')

/** After names went from a cell: whoever settled on one of them looks again, and soon. */
export async function wakeDoubted(
  database: Database,
  cellId: string,
  names: readonly string[],
  except?: string,
): Promise<void> {
  const proof = system.authorize('cell', 'update', { cellId })
  await database.all.transaction().execute(async (trx) => {
    for (const endpointId of await doubtNexusEndpoints(trx, proof, names, except)) {
      await enqueue(trx, 'reconcile-nexus-endpoint', { endpointId })
    }
  })
}
