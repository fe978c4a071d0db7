import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { highestPace, type PaceOverrides, paceLimits, paceOf, validatePace } from '#libs/domain/tenants'
import { getTenant, setTenantLimits, type TenantRow } from '#libs/store/tenants'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { answer, type ById, idParameter, integer, request, route } from './schemas.ts'

const texts: Readonly<Record<(typeof paceLimits)[number], string>> = {
  requestsPerSecond: 'Calls a second of all its users and service accounts together.',
  userRequestsPerSecond: 'Calls a second of one user.',
  serviceAccountRequestsPerSecond: 'Calls a second of one service account.',
  operationsInFlight: 'Operations that have not ended.',
}
const each = (schema: (name: (typeof paceLimits)[number]) => Readonly<Record<string, unknown>>) =>
  Object.fromEntries(paceLimits.map((name) => [name, { ...schema(name), description: texts[name] }]))

/** How fast a tenant may be: what holds now, and below `set` what an operator set. */
export const limitsSchema = answer({
  ...each(() => integer),
  set: answer(
    each(() => integer),
    paceLimits,
  ),
})
const wantedSchema = request(each(() => ({ ...integer, minimum: 1, maximum: highestPace })))

/** How fast a tenant may be, and the way to change it. Replicas of the API follow within two seconds. */
export function tenantLimitRoutes(app: FastifyInstance, { database }: OperatorContext): void {
  app.get<ById>(
    '/tenants/:id/limits',
    { schema: route('Tenants', 'Get how fast it may be', limitsSchema, { params: idParameter }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'read', { tenantId: call.params.id })
      return limitsOf(await getTenant(database.all, proof))
    },
  )

  app.post<ById & { Body: PaceOverrides }>(
    '/tenants/:id/limits',
    {
      schema: route('Tenants', 'Set how fast it may be; what is left out is as by default', limitsSchema, {
        params: idParameter,
        body: wantedSchema,
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'update_limits', { tenantId: call.params.id })
      const problems = validatePace(call.body)
      if (problems.length > 0) throw invalid(problems)
      note(call, { limits: JSON.stringify(call.body) })
      const row = await database.all.transaction().execute(async (trx) => {
        const changed = await setTenantLimits(trx, proof, call.body)
        await audited(trx, call)
        return changed
      })
      return limitsOf(row)
    },
  )
}

/** As `limitsSchema` says. */
export function limitsOf({ limits }: TenantRow) {
  return { ...paceOf(limits), set: limits }
}
