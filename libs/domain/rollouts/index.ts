export { type CanaryCandidate, chooseCanary } from './choose-canary.ts'
export {
  type CellLook,
  type CellProgress,
  planRollout,
  type Rollout,
  type RolloutCell,
  type RolloutStep,
} from './plan.ts'
export { isVersion, mayFollow } from './server-version.ts'
export { afterChange, isOpen, type RolloutChange, type RolloutState, rolloutStates } from './state.ts'
