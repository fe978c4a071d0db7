import { authorize, type Claims } from '#libs/authz'
import { type Clock, invalid, invalidField, type Problem } from '#libs/base'
import { type NamespacePermission, validateGrant } from '#libs/domain/users'
import type { Database } from '#libs/store'
import { type Assignment, accessOfOne, type GrantedAccess, listAssignments, setGrant } from '#libs/store/access'
import { getNamespace } from '#libs/store/namespaces'
import { getServiceAccount, type ServiceAccountRow, touchServiceAccount } from '#libs/store/service-accounts'
import { memberOf } from '../../auth/member.ts'
import { type PageRequest, type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { authorizeGrant } from '../identity/authorize-access.ts'
import { grantFromWire } from '../identity/wire.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { serviceAccountSpecOf } from '../service-accounts/wire.ts'
import {
  type NamespaceAssignmentHandlers,
  serviceAccountAssignmentToWire,
  userAssignmentToWire,
  userGroupAssignmentToWire,
} from './wire.ts'

export interface NamespaceAssignmentDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

/** Who has access to one namespace, from the namespace's side. */
export function namespaceAssignmentHandlers(deps: NamespaceAssignmentDeps): NamespaceAssignmentHandlers {
  const { database, pageTokens } = deps
  return {
    async GetUserNamespaceAssignments({ claims }, request) {
      const page = await read(claims, 'GetUserNamespaceAssignments', 'user', request)
      return { users: page.items.map(userAssignmentToWire), nextPageToken: page.nextPageToken }
    },

    async GetServiceAccountNamespaceAssignments({ claims }, request) {
      const page = await read(claims, 'GetServiceAccountNamespaceAssignments', 'service_account', request)
      return { serviceAccounts: page.items.map(serviceAccountAssignmentToWire), nextPageToken: page.nextPageToken }
    },

    async GetUserGroupNamespaceAssignments({ claims }, request) {
      const page = await read(claims, 'GetUserGroupNamespaceAssignments', 'user_group', request)
      return { groups: page.items.map(userGroupAssignmentToWire), nextPageToken: page.nextPageToken }
    },

    async SetServiceAccountNamespaceAccess(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const [namespaceId, serviceAccountId] = [request.namespace ?? '', request.serviceAccountId ?? '']
      const proof = authorize(member, 'namespace', 'grant_service_account_access', { tenantId, namespaceId })
      const version = requiredVersion(request)
      const permission = grantFromWire(request.access)
      const rpc = 'SetServiceAccountNamespaceAccess'
      const { operation } = await mutate(deps, { rpc, request, context }, async (trx) => {
        await getNamespace(trx, proof)
        const present = await getServiceAccount(trx, { proof, serviceAccountId })
        assertVersion('service account', present, version)
        const access = await accessOfOne(trx, proof, serviceAccountId)
        const problems = grantProblems(present, access, namespaceId, permission)
        if (problems.length > 0) throw invalid(problems)
        authorizeGrant(member, namespaceId, access.grants.get(namespaceId), permission)
        const generation = await touchServiceAccount(trx, { proof, serviceAccountId }, version)
        await setGrant(trx, proof, serviceAccountId, permission)
        return settled('service_account', serviceAccountId, generation)
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }

  async function read(
    claims: Claims,
    rpc: string,
    assigned: 'user' | 'service_account' | 'user_group',
    request: PageRequest & { readonly namespace?: string | null },
  ): Promise<{ readonly items: readonly Assignment[]; readonly nextPageToken: string }> {
    const { tenantId } = memberOf(claims)
    const namespaceId = request.namespace ?? ''
    if (namespaceId === '') throw invalidField('namespace', 'must be given')
    const proof = authorize(claims, 'namespace', `read_${assigned}_assignments`, { tenantId, namespaceId })
    const scope = { tenantId, rpc, filter: { namespaceId } }
    const page = pageTokens.read(scope, request)
    return database.ofTenant(tenantId, async (executor) => {
      await getNamespace(executor, proof)
      const rows = await listAssignments(executor, proof, `${assigned}s`, { after: page.after, limit: page.size + 1 })
      const { items, next } = pageOf(page, rows, (row) => row.id)
      return { items, nextPageToken: next === undefined ? '' : pageTokens.write(scope, next) }
    })
  }
}

/** An account of one namespace has access to that one and to no other, for as long as it lives. */
function grantProblems(
  row: ServiceAccountRow,
  access: GrantedAccess,
  namespaceId: string,
  permission: NamespacePermission | undefined,
): Problem[] {
  const { access: ofAccount, namespaceScopedAccess: scoped } = serviceAccountSpecOf(row, access)
  if (ofAccount !== undefined) return validateGrant(ofAccount, namespaceId, permission, 'access')
  if (scoped?.namespaceId !== namespaceId) {
    return [{ field: 'namespace', message: `the service account is one of ${scoped?.namespaceId} alone` }]
  }
  if (permission === undefined) {
    return [{ field: 'access', message: 'an account of one namespace always has access to it: delete the account' }]
  }
  return scoped.permission === permission ? [{ field: 'access', message: 'nothing to change' }] : []
}
