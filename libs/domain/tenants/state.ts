/**
 * The life of a tenant. While `suspended`, its calls to the API and to the data plane are refused, and all that it has
 * is kept and running.
 */
export type TenantState = 'active' | 'suspended'

const next: Readonly<Record<TenantState, readonly TenantState[]>> = {
  active: ['suspended'],
  suspended: ['active'],
}

export function tenantMayBecome(from: TenantState, to: TenantState): boolean {
  return next[from].includes(to)
}
