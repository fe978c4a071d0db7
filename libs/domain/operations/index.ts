export { checkEveryMs, deadlineMs, isOverdue } from './deadline.ts'
export { isTerminal, type OperationState, openStates, operationMayBecome } from './state.ts'
