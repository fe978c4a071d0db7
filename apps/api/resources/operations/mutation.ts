import type { Claims } from '#libs/authz'
import { type AppError, type Clock, invalidField } from '#libs/base'
import { deadlineMs } from '#libs/domain/operations'
import { enqueue } from '#libs/jobs'
import type { Database, Trx } from '#libs/store'
import { type AuditEntry, appendAuditEntry } from '#libs/store/audit'
import {
  assertFewInFlight,
  beginOperation,
  describeOperation,
  type OperationRow,
  type OperationSubject,
} from '#libs/store/operations'
import { entryOfClaims } from '../../audit/entry-of-claims.ts'
import { targetIds } from '../../audit/target-ids.ts'
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

/**
 * Of a request, which its operation keeps: twice what the largest spec that is taken can have. Fields that mean nothing
 * beside another one are not looked at, and would be kept whatever is in them.
 */
const maxRequestBytes = 256 * 1024
/** The same of methods whose specs are small, and that the weakest member may call as often as it likes. */
const maxKeyRequestBytes = 8 * 1024

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
  mutation: Mutation<Name>,
  work: (trx: Trx, operationId: string) => Promise<MutationResult>,
): Promise<Mutated> {
  const { rpc, request, context } = mutation
  const member = memberOf(context.claims)
  const { dryRun } = context
  const begun = await beginOperation(trx, {
    tenantId: member.tenantId,
    id: request.asyncOperationId ?? '',
    rpc,
    request: boundedRequest(rpc, request),
    requestedBy: member.principalId,
    deadline: new Date(clock.now().getTime() + deadlineMs(rpc)),
  })
  if (begun.kind === 'repeated') {
    if (!dryRun) await appendAuditEntry(trx, entryOf(mutation, begun.row, { repeated: true }))
    return { operation: begun.row, repeated: true, dryRun }
  }
  const { subject, settled } = await work(trx, begun.row.id)
  if (!settled) await assertFewInFlight(trx, begun.row)
  const operation = await describeOperation(trx, begun.row, subject, settled ? 'fulfilled' : 'pending')
  if (!settled) await wake(trx, subject)
  // Last of all: from here to the commit the tenant's other changes wait for this one.
  if (!dryRun) await appendAuditEntry(trx, entryOf(mutation, operation, {}))
  return { operation, repeated: false, dryRun }
}

/** @throws AppError `invalid` for one that is too large to keep. */
function boundedRequest<Name extends RpcName>(rpc: Name, request: RpcRequest<Name>): Uint8Array {
  const bytes = canonicalRequest(rpc, request)
  const limit = rpc.endsWith('ApiKey') ? maxKeyRequestBytes : maxRequestBytes
  if (bytes.byteLength <= limit) return bytes
  throw invalidField('request', `has ${bytes.byteLength} bytes: at most ${limit} are allowed`)
}

/** The repeat of a change shows its answer again, a key's token perhaps: that is worth an entry, too. */
function entryOf<Name extends RpcName>(
  { rpc, request, context }: Mutation<Name>,
  operation: OperationRow,
  details: { readonly repeated?: true },
): AuditEntry {
  return {
    ...entryOfClaims(context.claims),
    interface: context.transport === 'rest' ? 'cloud_rest' : 'cloud_grpc',
    operation: rpc,
    sourceAddress: context.sourceAddress,
    target: { ...targetIds(request), resourceKind: operation.resource_kind, resourceId: operation.resource_id },
    outcome: 'OK',
    requestId: context.requestId,
    asyncOperationId: operation.id,
    details,
  }
}

async function wake(trx: Trx, { kind, id }: OperationSubject): Promise<void> {
  if (kind === 'nexus_endpoint') await enqueue(trx, 'reconcile-nexus-endpoint', { endpointId: id })
  else await enqueue(trx, 'reconcile-namespace', { namespaceId: id })
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
