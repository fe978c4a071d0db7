import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { changedTags } from '#libs/domain/namespaces'
import { lockNamespace, setNamespaceTags } from '#libs/store/namespaces'
import { memberOf } from '../../auth/member.ts'
import { type MutationDeps, mutate } from '../operations/mutation.ts'
import { operationToWire } from '../operations/wire.ts'
import type { NamespaceTagHandlers } from './wire.ts'

export function namespaceTagHandlers(deps: MutationDeps): NamespaceTagHandlers {
  return {
    async UpdateNamespaceTags(context, request) {
      const { tenantId } = memberOf(context.claims)
      const namespaceId = request.namespace ?? ''
      const proof = authorize(context.claims, 'namespace', 'update_tags', { tenantId, namespaceId })
      const { operation } = await mutate(deps, { rpc: 'UpdateNamespaceTags', request, context }, async (trx) => {
        // Locked, since there is no version: of two changes at once, neither may undo the other.
        const row = await lockNamespace(trx, proof)
        const { tags, problems } = changedTags(row.tags, {
          upsert: request.tagsToUpsert ?? {},
          remove: request.tagsToRemove ?? [],
        })
        if (problems.length > 0) throw invalid(problems)
        await setNamespaceTags(trx, proof, tags)
        // Neither the cell nor the edge knows of tags.
        return { subject: { kind: 'namespace', id: row.id, generation: row.generation }, settled: true }
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}
