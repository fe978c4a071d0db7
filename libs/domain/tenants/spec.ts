import type { Problem } from '#libs/base'
import { lineMistake } from '#libs/domain/users'

export interface TenantSpec {
  /** The company's name, for people; nothing is derived from it. */
  readonly name: string
}

export function validateTenantSpec(spec: TenantSpec): Problem[] {
  const mistake = lineMistake(spec.name, 1, 128)
  return mistake === undefined ? [] : [{ field: 'name', message: mistake }]
}

/** Why a tenant was suspended: the operator's words, shown to the tenant with each refusal. */
export function validateSuspension(reason: string): Problem[] {
  const mistake = lineMistake(reason, 1, 256)
  return mistake === undefined ? [] : [{ field: 'reason', message: mistake }]
}
