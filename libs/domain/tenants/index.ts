export type { TenantState } from './state.ts'
export { validateSuspension } from './suspension.ts'
