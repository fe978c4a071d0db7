export { type TenantLimit, tenantLimits } from './limits.ts'
export type { TenantState } from './state.ts'
export { validateSuspension } from './suspension.ts'
