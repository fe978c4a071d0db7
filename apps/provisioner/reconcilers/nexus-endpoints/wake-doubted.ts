import { enqueue } from '#libs/jobs'
import type { Database } from '#libs/store'
import { doubtNexusEndpoints } from '#libs/store/nexus-endpoints'

/** After names went from a cell: whoever settled on one of them looks again, and soon. */
export async function wakeDoubted(
  database: Database,
  cellId: string,
  names: readonly string[],
  except?: string,
): Promise<void> {
  await database.all.transaction().execute(async (trx) => {
    for (const endpointId of await doubtNexusEndpoints(trx, cellId, names, except)) {
      await enqueue(trx, 'reconcile-nexus-endpoint', { endpointId })
    }
  })
}
