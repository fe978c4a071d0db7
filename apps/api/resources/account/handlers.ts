import { authorize } from '#libs/authz'
import type { Database } from '#libs/store'
import { getTenant } from '#libs/store/tenants'
import { memberOf } from '../../auth/member.ts'
import { type AccountHandlers, accountToWire } from './wire.ts'

export function accountHandlers({ database }: { readonly database: Database }): AccountHandlers {
  return {
    async GetAccount({ claims }) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'account', 'read', { tenantId })
      return { account: accountToWire(await database.ofTenant(tenantId, (executor) => getTenant(executor, proof))) }
    },
  }
}
