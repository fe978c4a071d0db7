export {
  highestPace,
  type Pace,
  type PaceLimit,
  type PaceOverrides,
  paceLimits,
  paceOf,
  type TenantLimit,
  tenantLimits,
  validatePace,
} from './limits.ts'
export type { TenantState } from './state.ts'
export { validateSuspension } from './suspension.ts'
