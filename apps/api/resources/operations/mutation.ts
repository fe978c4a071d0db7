import { type AppError, type Clock, invalidField } from '#libs/base'
import { deadlineMs } from '#libs/domain/operations'
import { enqueue } from '#libs/jobs'
import type { Database, Trx } from '#libs/store'
import { beginOperation, describeOperation, type OperationRow, type OperationSubject } from '#libs/store/operations'
import type { Member } from '../../auth/member.ts'
import { canonicalRequest, type RpcName, type RpcRequest } from './wire.ts'

export interface MutationDeps {
  readonly database: Database
  readonly clock: Clock
}

export interface Mutation<Name extends RpcName> {
  readonly rpc: Name
  readonly request: RpcRequest<Name> & { readonly asyncOperationId?: string | null }
  readonly member: Member
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
}

const operationId = /^[\x21-\x7e]{1,200}$/

/**
 * Every change goes through here: the operation, the change and the wake-up commit together or not at all, so that a
 * refused request leaves nothing behind. Of equal requests with one `async_operation_id`, one does it and the others
 * get its operation; that is why `work` looks at the present state, and nothing before it does.
 * @throws AppError of `work`; `already_exists` when the id was used for another request.
 */
export async function mutate<Name extends RpcName>(
  { database, clock }: MutationDeps,
  { rpc, request, member }: Mutation<Name>,
  work: (trx: Trx) => Promise<MutationResult>,
): Promise<Mutated> {
  const id = request.asyncOperationId ?? ''
  if (id !== '' && !operationId.test(id)) throw badOperationId()
  return database.transactionOfTenant(member.tenantId, async (trx) => {
    const begun = await beginOperation(trx, {
      tenantId: member.tenantId,
      id,
      rpc,
      request: canonicalRequest(rpc, request),
      requestedBy: member.principalId,
      deadline: new Date(clock.now().getTime() + deadlineMs(rpc)),
    })
    if (begun.kind === 'repeated') return { operation: begun.row, repeated: true }
    const { subject, settled } = await work(trx)
    const operation = await describeOperation(trx, begun.row, subject, settled ? 'fulfilled' : 'pending')
    if (!settled) await enqueue(trx, 'reconcile-namespace', { namespaceId: subject.id })
    return { operation, repeated: false }
  })
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
