import { authorize } from '#libs/authz'
import { invalid, invalidField } from '#libs/base'
import { type UserGroupSpec, validateUserGroupSpec, validateUserGroupUpdate } from '#libs/domain/user-groups'
import { validateGrant } from '#libs/domain/users'
import { accessOf, accessOfOne, noAccess, replaceAccess, setGrant } from '#libs/store/access'
import { getNamespace } from '#libs/store/namespaces'
import { assertRoom } from '#libs/store/tenants'
import {
  createUserGroup,
  deleteUserGroup,
  getUserGroup,
  listUserGroups,
  touchUserGroup,
  type UserGroupFields,
  updateUserGroup,
} from '#libs/store/user-groups'
import { memberOf } from '../../auth/member.ts'
import { pageOf } from '../../paging/page-tokens.ts'
import { authorizeAccess, authorizeGrant } from '../identity/authorize-access.ts'
import { authorizeRole } from '../identity/authorize-role.ts'
import { grantedIn } from '../identity/granted.ts'
import { grantFromWire } from '../identity/wire.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { type UserGroupDeps, userGroupMemberHandlers } from './members.ts'
import {
  type UserGroupHandlers,
  type UserGroupMemberHandlers,
  userGroupSpecFromWire,
  userGroupSpecOf,
  userGroupToWire,
} from './wire.ts'

export function userGroupHandlers(deps: UserGroupDeps): UserGroupHandlers & UserGroupMemberHandlers {
  const { database, pageTokens } = deps
  return {
    ...userGroupMemberHandlers(deps),

    async CreateUserGroup(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'account', 'create_user_group', { tenantId })
      const spec = userGroupSpecFromWire(request.spec)
      authorizeRole(member, spec.access.accountRole)
      const { operation } = await mutate(deps, { rpc: 'CreateUserGroup', request, context }, async (trx) => {
        if (spec.source.kind === 'scim') {
          throw invalidField('spec.scim_group', 'groups of this kind come from your identity provider alone, over SCIM')
        }
        const problems = validateUserGroupSpec(spec, tenantId)
        if (problems.length > 0) throw invalid(problems)
        await authorizeAccess(trx, member, { after: spec.access })
        await assertRoom(trx, proof, 'userGroups')
        const row = await createUserGroup(trx, proof, fieldsOf(spec))
        await replaceAccess(trx, proof, row.id, grantedIn(spec.access))
        return settled('user_group', row.id, row.resource_version)
      })
      return { groupId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetUserGroups({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'user_group', 'list', { tenantId })
      const filter = {
        namespace: request.namespace ?? '',
        displayName: request.displayName ?? '',
        googleEmail: request.googleGroup?.emailAddress ?? '',
        scimIdpId: request.scimGroup?.idpId ?? '',
      }
      const scope = { tenantId, rpc: 'GetUserGroups', filter }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listUserGroups(executor, proof, {
          displayName: filter.displayName || undefined,
          googleEmail: filter.googleEmail || undefined,
          scimIdpId: filter.scimIdpId || undefined,
          namespaceId: filter.namespace || undefined,
          after: page.after,
          limit: page.size + 1,
        })
        const { items, next } = pageOf(page, rows, (row) => row.display_name)
        const ids = items.map((row) => row.id)
        const access = await accessOf(executor, proof, ids)
        return {
          groups: items.map((row) => userGroupToWire(row, access.get(row.id) ?? noAccess)),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetUserGroup({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'user_group', 'read', { tenantId, groupId: request.groupId ?? '' })
      return database.ofTenant(tenantId, async (executor) => {
        const row = await getUserGroup(executor, proof)
        const access = await accessOfOne(executor, proof, row.id)
        return { group: userGroupToWire(row, access) }
      })
    },

    async UpdateUserGroup(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'user_group', 'update', { tenantId, groupId: request.groupId ?? '' })
      const version = requiredVersion(request)
      const spec = userGroupSpecFromWire(request.spec)
      authorizeRole(member, spec.access.accountRole)
      const { operation } = await mutate(deps, { rpc: 'UpdateUserGroup', request, context }, async (trx) => {
        const present = await getUserGroup(trx, proof)
        assertVersion('user group', present, version)
        const access = await accessOfOne(trx, proof, present.id)
        const current = userGroupSpecOf(present, access)
        const problems = validateUserGroupUpdate(current, spec, tenantId)
        if (problems.length > 0) throw invalid(problems)
        await authorizeAccess(trx, member, { before: current.access, after: spec.access })
        const row = await updateUserGroup(trx, proof, fieldsOf(spec), version)
        await replaceAccess(trx, proof, row.id, grantedIn(spec.access))
        return settled('user_group', row.id, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteUserGroup(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const groupId = request.groupId ?? ''
      const proof = authorize(context.claims, 'user_group', 'delete', { tenantId, groupId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteUserGroup', request, context }, async (trx) => {
        const present = await getUserGroup(trx, proof)
        assertVersion('user group', present, version)
        if (present.kind === 'scim') {
          throw invalidField('group_id', 'this group comes from your identity provider: delete it there')
        }
        const access = await accessOfOne(trx, proof, present.id)
        await authorizeAccess(trx, member, { before: userGroupSpecOf(present, access).access })
        await deleteUserGroup(trx, proof, version)
        return settled('user_group', groupId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async SetUserGroupNamespaceAccess(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const [namespaceId, groupId] = [request.namespace ?? '', request.groupId ?? '']
      const proof = authorize(context.claims, 'namespace', 'grant_user_group_access', { tenantId, namespaceId })
      const version = requiredVersion(request)
      const permission = grantFromWire(request.access)
      const rpc = 'SetUserGroupNamespaceAccess'
      const { operation } = await mutate(deps, { rpc, request, context }, async (trx) => {
        await getNamespace(trx, proof)
        const present = await getUserGroup(trx, { proof, groupId })
        assertVersion('user group', present, version)
        const access = await accessOfOne(trx, proof, groupId)
        const problems = validateGrant(userGroupSpecOf(present, access).access, namespaceId, permission, 'access')
        if (problems.length > 0) throw invalid(problems)
        authorizeGrant(member, namespaceId, access.grants.get(namespaceId), permission)
        const generation = await touchUserGroup(trx, { proof, groupId }, version)
        await setGrant(trx, proof, groupId, permission)
        return settled('user_group', groupId, generation)
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

function fieldsOf({ displayName, source, access }: UserGroupSpec): UserGroupFields {
  return { displayName, source, accountRole: access.accountRole }
}
