import { invalid, invalidField, type Problem } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import type { ServiceAccountSpec } from '#libs/domain/service-accounts'
import { type AccessSpec, accountRoles, type PrincipalRole } from '#libs/domain/users'
import type { GrantedAccess } from '#libs/store/access'
import type { ServiceAccountRow } from '#libs/store/service-accounts'
import { accessFromWire, accessToWire, permissionFromWire, permissionToWire } from '../identity/wire.ts'
import type { HandlersOf } from '../operations/wire.ts'

export type ServiceAccountHandlers = HandlersOf<
  'CreateServiceAccount' | 'GetServiceAccounts' | 'GetServiceAccount' | 'UpdateServiceAccount' | 'DeleteServiceAccount'
>

type WireSpec = temporal.api.cloud.identity.v1.IServiceAccountSpec

/** @throws AppError `invalid` */
export function serviceAccountSpecFromWire(wire: WireSpec | null | undefined): ServiceAccountSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const problems: Problem[] = []
  const scoped = wire.namespaceScopedAccess ?? undefined
  const namespaceScopedAccess = scoped && {
    namespaceId: scoped.namespace ?? '',
    permission: permissionFromWire(scoped.access, 'spec.namespace_scoped_access.access', problems),
  }
  if (problems.length > 0) throw invalid(problems)
  const access = wire.access ?? undefined
  return {
    name: wire.name ?? '',
    description: wire.description ?? '',
    ...(access === undefined ? {} : { access: accessFromWire(access, 'spec.access') }),
    ...(namespaceScopedAccess === undefined ? {} : { namespaceScopedAccess }),
  }
}

/** The spec of a row and its access, as an update is compared with. */
export function serviceAccountSpecOf(
  row: ServiceAccountRow,
  { grants, customRoleIds }: GrantedAccess,
): ServiceAccountSpec {
  const { name, description, scoped_namespace_id: namespaceId } = row
  if (namespaceId !== null) {
    return { name, description, namespaceScopedAccess: { namespaceId, permission: grants.get(namespaceId) ?? 'read' } }
  }
  const accountRole = accountRoles.find((role) => role === row.account_role)
  if (accountRole === undefined) throw new Error(`service account ${row.id} has the role ${row.account_role}`)
  return { name, description, access: { accountRole, namespaceAccesses: Object.fromEntries(grants), customRoleIds } }
}

/** What the account has altogether: one of a namespace has no role, and that one grant. */
export function wholeAccessIn({
  access,
  namespaceScopedAccess: scoped,
}: ServiceAccountSpec): AccessSpec<PrincipalRole> {
  const namespaceAccesses = scoped === undefined ? {} : { [scoped.namespaceId]: scoped.permission }
  return access ?? { accountRole: 'none', namespaceAccesses, customRoleIds: [] }
}

export function serviceAccountToWire(
  row: ServiceAccountRow,
  access: GrantedAccess,
): temporal.api.cloud.identity.v1.IServiceAccount {
  const { scoped_namespace_id: namespace } = row
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: {
      name: row.name,
      description: row.description,
      // Clients want one of the two to be there, and the other one not.
      ...(namespace === null
        ? { access: accessToWire(row.account_role, access) }
        : { namespaceScopedAccess: { namespace, access: permissionToWire(access.grants.get(namespace) ?? 'read') } }),
    },
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}
