import type { Problem } from '#libs/base'
import { type AccessSpec, validateAccess } from './access.ts'
import { emailMistake } from './email.ts'

/** A person of a tenant. */
export interface UserSpec {
  readonly email: string
  readonly access: AccessSpec
}

/** An invited user is active at once: clients wait for that. `deleted` is a tombstone. */
export type UserState = 'active' | 'deleted'

export function validateUserSpec(spec: UserSpec, tenantId: string): Problem[] {
  const mistake = emailMistake(spec.email)
  const problems = mistake === undefined ? [] : [{ field: 'spec.email', message: mistake }]
  return [...problems, ...validateAccess(spec.access, 'spec.access', tenantId)]
}
