import { authorize } from '#libs/authz'
import { type Clock, invalid, invalidField } from '#libs/base'
import { validateCaBundle } from '#libs/pki'
import type { Database } from '#libs/store'
import { getTenant, setMetricsClientCa } from '#libs/store/tenants'
import { memberOf } from '../../auth/member.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { type AccountHandlers, accountToWire, metricsCaField, metricsCaFromWire } from './wire.ts'

export interface AccountDeps {
  readonly database: Database
  readonly clock: Clock
  /** DNS domain below which every namespace has its name. */
  readonly domain: string
}

export function accountHandlers(deps: AccountDeps): AccountHandlers {
  const { database, clock, domain } = deps
  return {
    async GetAccount({ claims }) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'account', 'read', { tenantId })
      const tenant = await database.ofTenant(tenantId, (executor) => getTenant(executor, proof))
      return { account: accountToWire(tenant, domain) }
    },

    async UpdateAccount(context, request) {
      const { tenantId } = memberOf(context.claims)
      const proof = authorize(context.claims, 'account', 'update', { tenantId })
      const version = requiredVersion(request)
      const ca = metricsCaFromWire(request.spec)
      const { operation } = await mutate(deps, { rpc: 'UpdateAccount', request, context }, async (trx) => {
        const present = await getTenant(trx, proof)
        assertVersion('account', present, version)
        const problems = ca === '' ? [] : validateCaBundle(ca, clock.now()).problems
        if (problems.length > 0) throw invalid(problems.map((message) => ({ field: metricsCaField, message })))
        if (ca === present.metrics_client_ca) throw invalidField('spec', 'nothing to change')
        const row = await setMetricsClientCa(trx, proof, ca, version)
        return settled('account', tenantId, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}
