import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { renamed, renameProblems } from '#libs/domain/namespaces'
import { lockNamespace, renameSearchAttributes } from '#libs/store/namespaces'
import { memberOf } from '../../auth/member.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { type MutationDeps, mutate, requiredVersion } from '../operations/mutation.ts'
import { operationToWire } from '../operations/wire.ts'
import type { SearchAttributeHandlers } from './wire.ts'

export function searchAttributeHandlers(deps: MutationDeps): SearchAttributeHandlers {
  return {
    async RenameCustomSearchAttribute(context, request) {
      const { tenantId } = memberOf(context.claims)
      const namespaceId = request.namespace ?? ''
      const proof = authorize(context.claims, 'namespace', 'rename_search_attribute', { tenantId, namespaceId })
      const version = requiredVersion(request)
      const { operation } = await mutate(
        deps,
        { rpc: 'RenameCustomSearchAttribute', request, context },
        async (trx) => {
          const present = await lockNamespace(trx, proof)
          assertVersion('namespace', present, version)
          const attributes = present.spec.searchAttributes ?? {}
          const from = request.existingCustomSearchAttributeName ?? ''
          const to = request.newCustomSearchAttributeName ?? ''
          const problems = renameProblems(attributes, from, to)
          if (problems.length > 0) throw invalid(problems)
          const row = await renameSearchAttributes(trx, proof, renamed(attributes, from, to), version)
          return { subject: { kind: 'namespace', id: row.id, generation: row.generation }, settled: false }
        },
      )
      return { asyncOperation: operationToWire(operation) }
    },
  }
}
