/**
 * The life of a tenant. While `suspended`, its calls to the API and to the data plane are refused, and all that it has
 * is kept and running.
 */
export type TenantState = 'active' | 'suspended'
