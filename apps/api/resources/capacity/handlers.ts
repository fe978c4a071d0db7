import { authorize } from '#libs/authz'
import type { Database } from '#libs/store'
import { getNamespace } from '#libs/store/namespaces'
import { memberOf } from '../../auth/member.ts'
import { type CapacityHandlers, capacityInfoToWire } from './wire.ts'

export function capacityHandlers({ database }: { readonly database: Database }): CapacityHandlers {
  return {
    async GetNamespaceCapacityInfo({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'namespace', 'read_capacity', { tenantId, namespaceId: request.namespace ?? '' })
      const row = await database.ofTenant(tenantId, (executor) => getNamespace(executor, proof))
      return { capacityInfo: capacityInfoToWire(row) }
    },
  }
}
