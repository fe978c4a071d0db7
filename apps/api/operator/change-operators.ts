import type { FastifyRequest } from 'fastify'
import type { OperatorClaims } from '#libs/authz'
import type { Database, Trx } from '#libs/store'
import { lockOperators } from '#libs/store/operators'
import { audited } from './audit-log.ts'
import { claimsAnew } from './authenticate-operators.ts'

/**
 * Every change of operators and of their certificates: one after another, and each by whom the one before left in. Ask
 * `authorize` with the claims that `work` gets: those of the request were read before the lock was held.
 */
export async function changeOperators<Result>(
  database: Database,
  request: FastifyRequest,
  work: (trx: Trx, claims: OperatorClaims) => Promise<Result>,
): Promise<Result> {
  return database.all.transaction().execute(async (trx) => {
    await lockOperators(trx)
    const result = await work(trx, await claimsAnew(request, trx))
    await audited(trx, request)
    return result
  })
}
