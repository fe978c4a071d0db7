import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { failedState } from '#libs/domain/namespaces'
import type { Database } from '#libs/store'
import { failNamespace, listOverdue, readNamespace } from '#libs/store/namespaces'
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
  for (const operation of await listOverdue(database.all, batch)) {
    try {
      await failOverdue({ database, logger }, operation)
      ended += 1
    } catch (thrown) {
      logger.error({ namespace: operation.resource_id, err: coerceError(thrown) }, 'an overdue operation was not ended')
    }
  }
  return ended
}

type Overdue = Awaited<ReturnType<typeof listOverdue>>[number]

async function failOverdue({ database, logger }: CollectorDeps, operation: Overdue): Promise<void> {
  const target = { tenantId: operation.tenant_id, namespaceId: operation.resource_id }
  const proof = system.authorize('namespace', 'update', target)
  const row = await readNamespace(database.all, proof)
  const waitedFor = operation.waiting_for === '' ? 'nobody has begun it' : operation.waiting_for
  const reason = `not done in time: ${waitedFor}`
  await database.all
    .transaction()
    .execute((trx) => failNamespace(trx, proof, operation.generation, failedState(row.state), reason))
  logger.warn({ namespace: row.id, generation: operation.generation, reason }, 'operation overdue')
}
