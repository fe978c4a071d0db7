export { type MoveFacts, type MoveStep, planMove, type SeenOnCell, type WorkState } from './plan.ts'
export type { MoveState } from './state.ts'
