import { authorize } from '#libs/authz'
import { type Clock, invalid } from '#libs/base'
import { validateGrant, validateUserSpec, validateUserUpdate } from '#libs/domain/users'
import type { Database, Executor } from '#libs/store'
import { accessOf, accessOfOne, noAccess, replaceAccess, setGrant } from '#libs/store/access'
import { getNamespace } from '#libs/store/namespaces'
import { assertRoom } from '#libs/store/tenants'
import {
  createUser,
  deleteUser,
  getUser,
  inviteUser,
  listUsers,
  openInvitationsOf,
  touchUser,
  type UserRow,
  updateUser,
} from '#libs/store/users'
import { memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { invitationExpiry } from '../../signup/invitation-token.ts'
import { authorizeAccess, authorizeGrant } from '../identity/authorize-access.ts'
import { authorizeRole } from '../identity/authorize-role.ts'
import { grantedIn } from '../identity/granted.ts'
import { grantFromWire, userToWire } from '../identity/wire.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { type UserHandlers, userSpecFromWire, userSpecOf } from './wire.ts'

export interface UserDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
  /** Told when a user was invited: the mail can go out now. */
  readonly invitationMails: { wake(): void }
}

export function userHandlers(deps: UserDeps): UserHandlers {
  const { database, clock, pageTokens, invitationMails } = deps
  return {
    async CreateUser(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'account', 'create_user', { tenantId })
      const spec = userSpecFromWire(request.spec)
      authorizeRole(member, spec.access.accountRole)
      const { operation, repeated, dryRun } = await mutate(
        deps,
        { rpc: 'CreateUser', request, context },
        async (trx) => {
          const problems = validateUserSpec(spec, tenantId)
          if (problems.length > 0) throw invalid(problems)
          await authorizeAccess(trx, member, { after: spec.access })
          await assertRoom(trx, proof, 'users')
          await assertRoom(trx, proof, 'invitations')
          const row = await createUser(trx, proof, { email: spec.email, accountRole: spec.access.accountRole })
          await replaceAccess(trx, proof, row.id, grantedIn(spec.access))
          await inviteUser(trx, proof, row, invitationExpiry(clock.now()))
          return settled('user', row.id, row.resource_version)
        },
      )
      if (!repeated && !dryRun) invitationMails.wake()
      return { userId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetUsers({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'user', 'list', { tenantId })
      const filter = { email: request.email ?? '', namespace: request.namespace ?? '' }
      const scope = { tenantId, rpc: 'GetUsers', filter }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listUsers(executor, proof, {
          email: filter.email || undefined,
          namespaceId: filter.namespace || undefined,
          after: page.after,
          limit: page.size + 1,
        })
        const { items, next } = pageOf(page, rows, (row) => row.id)
        return {
          users: await toWire(executor, proof, items),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetUser({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'user', 'read', { tenantId, userId: request.userId ?? '' })
      return database.ofTenant(tenantId, async (executor) => {
        const [user] = await toWire(executor, proof, [await getUser(executor, proof)])
        return { user: user ?? null }
      })
    },

    async UpdateUser(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'user', 'update', { tenantId, userId: request.userId ?? '' })
      const version = requiredVersion(request)
      const spec = userSpecFromWire(request.spec)
      authorizeRole(member, spec.access.accountRole)
      const { operation } = await mutate(deps, { rpc: 'UpdateUser', request, context }, async (trx) => {
        const present = await getUser(trx, proof)
        assertVersion('user', present, version)
        const access = await accessOfOne(trx, proof, present.id)
        const current = userSpecOf(present, access)
        const problems = validateUserUpdate(current, spec, tenantId)
        if (problems.length > 0) throw invalid(problems)
        await authorizeAccess(trx, member, { before: current.access, after: spec.access })
        const row = await updateUser(trx, proof, spec.access.accountRole, version)
        await replaceAccess(trx, proof, row.id, grantedIn(spec.access))
        return settled('user', row.id, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteUser(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const userId = request.userId ?? ''
      const proof = authorize(context.claims, 'user', 'delete', { tenantId, userId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteUser', request, context }, async (trx) => {
        const present = await getUser(trx, proof)
        assertVersion('user', present, version)
        const access = await accessOfOne(trx, proof, present.id)
        await authorizeAccess(trx, member, { before: userSpecOf(present, access).access })
        await deleteUser(trx, proof, version)
        return settled('user', userId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async SetUserNamespaceAccess(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const [namespaceId, userId] = [request.namespace ?? '', request.userId ?? '']
      const proof = authorize(context.claims, 'namespace', 'grant_user_access', { tenantId, namespaceId })
      const version = requiredVersion(request)
      const permission = grantFromWire(request.access)
      const { operation } = await mutate(deps, { rpc: 'SetUserNamespaceAccess', request, context }, async (trx) => {
        await getNamespace(trx, proof)
        const present = await getUser(trx, { proof, userId })
        assertVersion('user', present, version)
        const access = await accessOfOne(trx, proof, userId)
        const problems = validateGrant(userSpecOf(present, access).access, namespaceId, permission, 'access')
        if (problems.length > 0) throw invalid(problems)
        authorizeGrant(member, namespaceId, access.grants.get(namespaceId), permission)
        const generation = await touchUser(trx, { proof, userId }, version)
        await setGrant(trx, proof, userId, permission)
        return settled('user', userId, generation)
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }

  async function toWire(
    executor: Executor,
    proof: Parameters<typeof openInvitationsOf>[1] & Parameters<typeof accessOf>[1],
    rows: readonly UserRow[],
  ) {
    const ids = rows.map((row) => row.id)
    const access = await accessOf(executor, proof, ids)
    const invitations = await openInvitationsOf(executor, proof, ids, clock.now())
    return rows.map((row) => userToWire(row, access.get(row.id) ?? noAccess, invitations.get(row.id)))
  }
}
