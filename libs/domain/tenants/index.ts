export { type TenantSpec, validateSuspension, validateTenantSpec } from './spec.ts'
export { type TenantState, tenantMayBecome } from './state.ts'
