import { authorize } from '#libs/authz'
import { type Clock, invalidField } from '#libs/base'
import type { Database } from '#libs/store'
import { accessOfOne } from '#libs/store/access'
import {
  addGroupMember,
  getUserGroup,
  listGroupMembers,
  removeGroupMember,
  type UserGroupRow,
} from '#libs/store/user-groups'
import { memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { authorizeAccess } from '../identity/authorize-access.ts'
import { mutate } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { memberToWire, type UserGroupMemberHandlers, userGroupSpecOf } from './wire.ts'

export interface UserGroupDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

/** Who is in a group. Members are no part of its spec: these methods take no resource version, and change none. */
export function userGroupMemberHandlers(deps: UserGroupDeps): UserGroupMemberHandlers {
  const { database, pageTokens } = deps
  return {
    async AddUserGroupMember(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'user_group', 'add_member', { tenantId, groupId: request.groupId ?? '' })
      const userId = userIdOf(request)
      const { operation } = await mutate(deps, { rpc: 'AddUserGroupMember', request, context }, async (trx) => {
        const group = await getUserGroup(trx, proof)
        assertCloudGroup(group)
        const access = await accessOfOne(trx, proof, group.id)
        await authorizeAccess(trx, member, { before: userGroupSpecOf(group, access).access })
        await addGroupMember(trx, proof, userId)
        return settled('user_group', group.id, group.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async RemoveUserGroupMember(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'user_group', 'remove_member', { tenantId, groupId: request.groupId ?? '' })
      const userId = userIdOf(request)
      const { operation } = await mutate(deps, { rpc: 'RemoveUserGroupMember', request, context }, async (trx) => {
        const group = await getUserGroup(trx, proof)
        assertCloudGroup(group)
        const access = await accessOfOne(trx, proof, group.id)
        await authorizeAccess(trx, member, { before: userGroupSpecOf(group, access).access })
        await removeGroupMember(trx, proof, userId)
        return settled('user_group', group.id, group.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async GetUserGroupMembers({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const groupId = request.groupId ?? ''
      const proof = authorize(claims, 'user_group', 'read_members', { tenantId, groupId })
      const scope = { tenantId, rpc: 'GetUserGroupMembers', filter: { groupId } }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listGroupMembers(executor, proof, { after: page.after, limit: page.size + 1 })
        const { items, next } = pageOf(page, rows, (row) => row.user_id)
        return {
          members: items.map(memberToWire),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },
  }
}

function userIdOf({ memberId }: { readonly memberId?: { readonly userId?: string | null } | null }): string {
  const userId = memberId?.userId ?? ''
  if (userId === '') throw invalidField('member_id.user_id', 'must be given')
  return userId
}

/** Members of the others are what Google or the identity provider says they are. */
function assertCloudGroup({ kind }: UserGroupRow): void {
  if (kind === 'cloud') return
  const where = kind === 'google' ? 'Google' : 'your identity provider'
  throw invalidField('group_id', `the members of this group come from ${where}: change them there`)
}
