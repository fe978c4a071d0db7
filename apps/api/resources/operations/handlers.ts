import { authorize } from '#libs/authz'
import { invalidField } from '#libs/base'
import type { Database } from '#libs/store'
import { getOperation } from '#libs/store/operations'
import { memberOf } from '../../auth/member.ts'
import { type OperationHandlers, operationToWire } from './wire.ts'

export function operationHandlers({ database }: { readonly database: Database }): OperationHandlers {
  return {
    async GetAsyncOperation({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const operationId = request.asyncOperationId ?? ''
      if (operationId === '') throw invalidField('async_operation_id', 'must be given')
      const proof = authorize(claims, 'operation', 'read', { tenantId, operationId })
      const row = await database.ofTenant(tenantId, (executor) => getOperation(executor, proof))
      return { asyncOperation: operationToWire(row) }
    },
  }
}
