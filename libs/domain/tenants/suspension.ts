import type { Problem } from '#libs/base'
import { lineMistake } from '#libs/domain/users'

/** Why a tenant was suspended: the operator's words, shown to the tenant with each refusal of the API. */
export function validateSuspension(reason: string): Problem[] {
  const mistake = lineMistake(reason, 1, 256)
  return mistake === undefined ? [] : [{ field: 'reason', message: mistake }]
}
