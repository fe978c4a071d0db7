import type { Claims, ServiceAccountClaims, UserClaims } from '#libs/authz'
import { AppError } from '#libs/base'

/** Who can call the Cloud Ops API: a person or a program of one tenant. */
export type Member = UserClaims | ServiceAccountClaims

/** @throws AppError `unauthenticated` for everybody else: operators have an API of their own. */
export function memberOf(claims: Claims): Member {
  if (claims.kind === 'user' || claims.kind === 'service_account') return claims
  throw new AppError('unauthenticated', 'Jwt is missing')
}
