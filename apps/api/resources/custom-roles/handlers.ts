import { assertCovers, authorize, customActionsOn } from '#libs/authz'
import { type Clock, invalid } from '#libs/base'
import { type CustomRoleSpec, validateCustomRole, validateCustomRoleUpdate } from '#libs/domain/custom-roles'
import type { Database } from '#libs/store'
import {
  createCustomRole,
  deleteCustomRole,
  getCustomRole,
  listCustomRoles,
  updateCustomRole,
} from '#libs/store/custom-roles'
import { assertRoom } from '#libs/store/tenants'
import { type Member, memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { type CustomRoleHandlers, customRoleSpecFromWire, customRoleSpecOf, customRoleToWire } from './wire.ts'

export interface CustomRoleDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

export function customRoleHandlers(deps: CustomRoleDeps): CustomRoleHandlers {
  const { database, pageTokens } = deps
  return {
    async CreateCustomRole(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'account', 'create_custom_role', { tenantId })
      const spec = customRoleSpecFromWire(request.spec)
      const { operation } = await mutate(deps, { rpc: 'CreateCustomRole', request, context }, async (trx) => {
        const problems = validateCustomRole(spec, tenantId, customActionsOn)
        if (problems.length > 0) throw invalid(problems)
        assertMayGive(member, spec)
        await assertRoom(trx, proof, 'customRoles')
        const row = await createCustomRole(trx, proof, spec)
        return settled('custom_role', row.id, row.resource_version)
      })
      return { roleId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetCustomRoles({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'custom_role', 'list', { tenantId })
      const scope = { tenantId, rpc: 'GetCustomRoles', filter: {} }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listCustomRoles(executor, proof, { after: page.after, limit: page.size + 1 })
        const { items, next } = pageOf(page, rows, (row) => row.id)
        return {
          customRoles: items.map(customRoleToWire),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetCustomRole({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'custom_role', 'read', { tenantId, roleId: request.roleId ?? '' })
      return database.ofTenant(tenantId, async (executor) => ({
        customRole: customRoleToWire(await getCustomRole(executor, proof)),
      }))
    },

    async UpdateCustomRole(context, request) {
      const member = memberOf(context.claims)
      const { tenantId } = member
      const proof = authorize(member, 'custom_role', 'update', { tenantId, roleId: request.roleId ?? '' })
      const version = requiredVersion(request)
      const spec = customRoleSpecFromWire(request.spec)
      const { operation } = await mutate(deps, { rpc: 'UpdateCustomRole', request, context }, async (trx) => {
        const present = await getCustomRole(trx, proof)
        assertVersion('custom role', present, version)
        const problems = validateCustomRoleUpdate(customRoleSpecOf(present), spec, tenantId, customActionsOn)
        if (problems.length > 0) throw invalid(problems)
        assertMayGive(member, spec)
        const row = await updateCustomRole(trx, proof, spec, version)
        return settled('custom_role', row.id, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteCustomRole(context, request) {
      const { tenantId } = memberOf(context.claims)
      const roleId = request.roleId ?? ''
      const proof = authorize(context.claims, 'custom_role', 'delete', { tenantId, roleId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteCustomRole', request, context }, async (trx) => {
        await deleteCustomRole(trx, proof, version)
        return settled('custom_role', roleId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

/** Whoever makes roles by a custom role puts nothing into them that they do not have. */
function assertMayGive(member: Member, { permissions }: CustomRoleSpec): void {
  assertCovers(member, { roles: ['none'], namespaceGrants: new Map(), customPermissions: permissions })
}
