import { authorize } from '#libs/authz'
import { type Clock, invalid } from '#libs/base'
import {
  type ServiceAccountSpec,
  validateServiceAccountSpec,
  validateServiceAccountUpdate,
} from '#libs/domain/service-accounts'
import type { Database } from '#libs/store'
import { accessOf, accessOfOne, type GrantedAccess, noAccess, replaceAccess } from '#libs/store/access'
import {
  createServiceAccount,
  deleteServiceAccount,
  getServiceAccount,
  listServiceAccounts,
  type ServiceAccountFields,
  updateServiceAccount,
} from '#libs/store/service-accounts'
import { assertRoom } from '#libs/store/tenants'
import { type Member, memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { authorizeAccess } from '../identity/authorize-access.ts'
import { authorizeRole } from '../identity/authorize-role.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import {
  type ServiceAccountHandlers,
  serviceAccountSpecFromWire,
  serviceAccountSpecOf,
  serviceAccountToWire,
  wholeAccessIn,
} from './wire.ts'

export interface ServiceAccountDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

export function serviceAccountHandlers(deps: ServiceAccountDeps): ServiceAccountHandlers {
  const { database, pageTokens } = deps
  return {
    async CreateServiceAccount(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const { tenantId } = member
      const spec = serviceAccountSpecFromWire(request.spec)
      const proof = authorizeCreation(member, spec)
      authorizeRole(member, spec.access?.accountRole)
      const { operation } = await mutate(deps, { rpc: 'CreateServiceAccount', request, context }, async (trx) => {
        const problems = validateServiceAccountSpec(spec, tenantId)
        if (problems.length > 0) throw invalid(problems)
        await authorizeAccess(trx, member, { after: wholeAccessIn(spec) })
        await assertRoom(trx, proof, 'serviceAccounts')
        const row = await createServiceAccount(trx, proof, fieldsOf(spec))
        await replaceAccess(trx, proof, row.id, accessIn(spec))
        return settled('service_account', row.id, row.resource_version)
      })
      return { serviceAccountId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetServiceAccounts({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'service_account', 'list', { tenantId })
      const scope = { tenantId, rpc: 'GetServiceAccounts', filter: {} }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listServiceAccounts(executor, proof, { after: page.after, limit: page.size + 1 })
        const { items, next } = pageOf(page, rows, (row) => row.id)
        const ids = items.map((row) => row.id)
        const access = await accessOf(executor, proof, ids)
        return {
          serviceAccount: items.map((row) => serviceAccountToWire(row, access.get(row.id) ?? noAccess)),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetServiceAccount({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const serviceAccountId = request.serviceAccountId ?? ''
      const proof = authorize(claims, 'service_account', 'read', { tenantId, serviceAccountId })
      return database.ofTenant(tenantId, async (executor) => {
        const row = await getServiceAccount(executor, proof)
        const access = await accessOfOne(executor, proof, row.id)
        return { serviceAccount: serviceAccountToWire(row, access) }
      })
    },

    async UpdateServiceAccount(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const { tenantId } = member
      const target = { tenantId, serviceAccountId: request.serviceAccountId ?? '' }
      const proof = authorize(claims, 'service_account', 'update', target)
      const version = requiredVersion(request)
      const spec = serviceAccountSpecFromWire(request.spec)
      authorizeRole(member, spec.access?.accountRole)
      const { operation } = await mutate(deps, { rpc: 'UpdateServiceAccount', request, context }, async (trx) => {
        const present = await getServiceAccount(trx, proof)
        assertVersion('service account', present, version)
        const access = await accessOfOne(trx, proof, present.id)
        const current = serviceAccountSpecOf(present, access)
        const problems = validateServiceAccountUpdate(current, spec, tenantId)
        if (problems.length > 0) throw invalid(problems)
        await authorizeAccess(trx, member, { before: wholeAccessIn(current), after: wholeAccessIn(spec) })
        const row = await updateServiceAccount(trx, proof, fieldsOf(spec), version)
        await replaceAccess(trx, proof, row.id, accessIn(spec))
        return settled('service_account', row.id, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteServiceAccount(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const serviceAccountId = request.serviceAccountId ?? ''
      const proof = authorize(claims, 'service_account', 'delete', { tenantId: member.tenantId, serviceAccountId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteServiceAccount', request, context }, async (trx) => {
        const present = await getServiceAccount(trx, proof)
        const access = await accessOfOne(trx, proof, present.id)
        await authorizeAccess(trx, member, { before: wholeAccessIn(serviceAccountSpecOf(present, access)) })
        await deleteServiceAccount(trx, proof, version)
        return settled('service_account', serviceAccountId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

/** Whoever administers a namespace may make accounts for it alone. */
function authorizeCreation(member: Member, { namespaceScopedAccess: scoped }: ServiceAccountSpec) {
  const { tenantId } = member
  if (scoped === undefined) return authorize(member, 'account', 'create_service_account', { tenantId })
  return authorize(member, 'namespace', 'create_service_account', { tenantId, namespaceId: scoped.namespaceId })
}

function fieldsOf({ name, description, access, namespaceScopedAccess }: ServiceAccountSpec): ServiceAccountFields {
  return {
    name,
    description,
    accountRole: access?.accountRole ?? 'none',
    scopedNamespaceId: namespaceScopedAccess?.namespaceId ?? null,
  }
}

function accessIn({ access, namespaceScopedAccess: scoped }: ServiceAccountSpec): GrantedAccess {
  if (scoped !== undefined) return { grants: new Map([[scoped.namespaceId, scoped.permission]]), customRoleIds: [] }
  return {
    grants: new Map(Object.entries(access?.namespaceAccesses ?? {})),
    customRoleIds: access?.customRoleIds ?? [],
  }
}
