import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { failedState } from '#libs/domain/namespaces'
import type { Database } from '#libs/store'
import { failNamespace, listOverdue, readNamespace } from '#libs/store/namespaces'
import { failNexusEndpoint, readNexusEndpoint } from '#libs/store/nexus-endpoints'
import type { Logger } from '#libs/telemetry'

export interface CollectorDeps {
  readonly database: Database
  readonly logger: Logger
}

const system = systemActor('overdue-operations')
const batch = 100

/**
 * Ends operations that are past their deadline, with what they waited for as the reason: a caller never polls for ever.
 * One that cannot be ended stops no other.
 * @returns how many were ended.
 */
export async function failOverdueOperations({ database, logger }: CollectorDeps): Promise<number> {
  let ended = 0
  for (const operation of await listOverdue(
    database.all,
    system.authorize('operation', 'list', { fleet: true }),
    batch,
  )) {
    try {
      await failOverdue({ database, logger }, operation)
      ended += 1
    } catch (thrown) {
      logger.error(
        { [operation.resource_kind]: operation.resource_id, err: coerceError(thrown) },
        'an overdue operation was not ended',
      )
    }
  }
  return ended
}

type Overdue = Awaited<ReturnType<typeof listOverdue>>[number]

async function failOverdue(deps: CollectorDeps, operation: Overdue): Promise<void> {
  if (operation.resource_kind === 'nexus_endpoint') await failOverdueNexusEndpoint(deps, operation)
  else await failOverdueNamespace(deps, operation)
}

async function failOverdueNamespace({ database, logger }: CollectorDeps, operation: Overdue): Promise<void> {
  const target = { tenantId: operation.tenant_id, namespaceId: operation.resource_id }
  const proof = system.authorize('namespace', 'update', target)
  const row = await readNamespace(database.all, proof)
  const reason = reasonOf(operation)
  await database.all
    .transaction()
    .execute((trx) => failNamespace(trx, proof, operation.generation, failedState(row.state), reason))
  logger.warn({ namespace: row.id, generation: operation.generation, reason }, 'operation overdue')
}

async function failOverdueNexusEndpoint({ database, logger }: CollectorDeps, operation: Overdue): Promise<void> {
  const target = { tenantId: operation.tenant_id, endpointId: operation.resource_id }
  const proof = system.authorize('nexus_endpoint', 'update', target)
  const row = await readNexusEndpoint(database.all, proof)
  const reason = reasonOf(operation)
  const failure = { state: failedState(row.state), reason }
  await database.all.transaction().execute((trx) => failNexusEndpoint(trx, proof, operation.generation, failure))
  logger.warn({ endpoint: row.id, generation: operation.generation, reason }, 'operation overdue')
}

function reasonOf({ waiting_for: waitingFor }: Overdue): string {
  return `not done in time: ${waitingFor === '' ? 'nobody has begun it' : waitingFor}`
}
