export { type CellCandidate, type CellChoice, chooseCell } from './choose.ts'
export { drainMs } from './drain.ts'
export { callPauseEnd, launchPauseEnd, type PastLaunch } from './launch-backoff.ts'
export { type DesiredNode, type NodeStep, type ObservedNode, planNode } from './node-plan.ts'
export { type CellStep, type DesiredCell, type ObservedCell, planCell } from './plan.ts'
export { type CellSize, cellSizes, historyShardsFor, mayBecome, type Slot, slotsOf } from './size.ts'
export {
  type CellNodes,
  isServing,
  machineLimit,
  type NodeAction,
  nextLook,
  type SlotNode,
} from './slot-plan.ts'
export type { CellState, NodeState } from './state.ts'
