import type { Claims } from '#libs/authz'
import { type AppError, type Clock, invalidField } from '#libs/base'
import { deadlineMs } from '#libs/domain/operations'
import { enqueue } from '#libs/jobs'
import type { Database, Trx } from '#libs/store'
import {
  assertFewInFlight,
  beginOperation,
  describeOperation,
  type OperationRow,
  type OperationSubject,
} from '#libs/store/operations'
import { memberOf } from '../../auth/member.ts'
import type { CallContext } from '../../transport/call-context.ts'
import { canonicalRequest, type RpcName, type RpcRequest } from './wire.ts'

export interface MutationDeps {
  readonly database: Database
  readonly clock: Clock
}

export interface Mutation<Name extends RpcName> {
  readonly rpc: Name
  readonly request: RpcRequest<Name> & { readonly asyncOperationId?: string | null }
  readonly context: CallContext<Claims>
}

/** What was done: `settled` when nothing is left to do, else a reconciler has to bring it about. */
export interface MutationResult {
  readonly subject: OperationSubject
  readonly settled: boolean
}

export interface Mutated {
  readonly operation: OperationRow
  /** The caller asked for the very same before: nothing was done now, and this is the operation of then. */
  readonly repeated: boolean
  /** Everything was checked and nothing was kept: not even this operation. */
  readonly dryRun: boolean
}

const operationId = /^[\x21-\x7e]{1,200}$/

/**
 * Every change goes through here: the operation, the change and the wake-up commit together or not at all, so that a
 * refused request leaves nothing behind. Of equal requests with one `async_operation_id`, one does it and the others
 * get its operation; that is why `work` looks at the present state, and nothing before it does. A dry run does all of
 * it and commits none.
 * @throws AppError of `work`; `already_exists` when the id was used for another request; `exhausted` when the tenant has
 * its operations in flight already.
 */
export async function mutate<Name extends RpcName>(
  deps: MutationDeps,
  mutation: Mutation<Name>,
  work: (trx: Trx, operationId: string) => Promise<MutationResult>,
): Promise<Mutated> {
  const id = mutation.request.asyncOperationId ?? ''
  if (id !== '' && !operationId.test(id)) throw badOperationId()
  const { tenantId } = memberOf(mutation.context.claims)
  let mutated: Mutated | undefined
  try {
    return await deps.database.transactionOfTenant(tenantId, async (trx) => {
      mutated = await mutateIn(trx, deps.clock, mutation, work)
      if (mutated.dryRun) throw new DryRunOver()
      return mutated
    })
  } catch (thrown) {
    if (thrown instanceof DryRunOver && mutated !== undefined) return mutated
    throw thrown
  }
}

/** Rolls back. */
class DryRunOver extends Error {}

async function mutateIn<Name extends RpcName>(
  trx: Trx,
  clock: Clock,
  { rpc, request, context }: Mutation<Name>,
  work: (trx: Trx, operationId: string) => Promise<MutationResult>,
): Promise<Mutated> {
  const member = memberOf(context.claims)
  const { dryRun } = context
  const begun = await beginOperation(trx, {
    tenantId: member.tenantId,
    id: request.asyncOperationId ?? '',
    rpc,
    request: canonicalRequest(rpc, request),
    requestedBy: member.principalId,
    deadline: new Date(clock.now().getTime() + deadlineMs(rpc)),
  })
  if (begun.kind === 'repeated') return { operation: begun.row, repeated: true, dryRun }
  const { subject, settled } = await work(trx, begun.row.id)
  if (!settled) await assertFewInFlight(trx, begun.row)
  const operation = await describeOperation(trx, begun.row, subject, settled ? 'fulfilled' : 'pending')
  if (!settled) await enqueue(trx, 'reconcile-namespace', { namespaceId: subject.id })
  return { operation, repeated: false, dryRun }
}

/** The compare-and-set token that updates and deletions have to carry. @throws AppError `invalid` */
export function requiredVersion(request: { readonly resourceVersion?: string | null }): string {
  const version = request.resourceVersion ?? ''
  if (version === '') throw invalidField('resource_version', 'must be given: the one that you last read')
  return version
}

function badOperationId(): AppError {
  return invalidField('async_operation_id', 'must have at most 200 visible ASCII characters')
}
