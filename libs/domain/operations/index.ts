export { checkEveryMs, deadlineMs, isOverdue, keepOperationsMs } from './deadline.ts'
export { isTerminal, type OperationState, openStates, operationMayBecome } from './state.ts'
