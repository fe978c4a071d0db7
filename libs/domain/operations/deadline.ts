import { isTerminal, type OperationState } from './state.ts'

/** What clients are told to wait between two looks, in milliseconds; most wait a second whatever they are told. */
export const checkEveryMs = 1000

/**
 * How long an operation may take, in milliseconds. Below the time at which the Terraform provider gives up by itself
 * (10 minutes for a create, 5 for a delete), so that people read our reason and not "timeout".
 */
export function deadlineMs(operationType: string): number {
  return operationType === 'CreateNamespace' ? 9 * 60_000 : 4.5 * 60_000
}

/**
 * How long an operation that has ended is kept, in milliseconds: a week. Clients that stopped in the middle find out within
 * it how their change ended, and the same `async_operation_id` again is answered by it.
 */
export const keepOperationsMs = 7 * 86_400_000

/** Whether it must end as failed now, since it can only get later. */
export function isOverdue(
  operation: { readonly state: OperationState; readonly type: string; readonly startedAt: Date },
  now: Date,
): boolean {
  return !isTerminal(operation.state) && now.getTime() - operation.startedAt.getTime() >= deadlineMs(operation.type)
}
