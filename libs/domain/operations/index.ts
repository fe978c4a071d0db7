export { checkEveryMs, deadlineMs, isOverdue } from './deadline.ts'
export { isTerminal, type OperationState, operationMayBecome } from './state.ts'
