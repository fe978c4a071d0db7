import type { NamespacePermission } from '#libs/authz'
import { invalid, type Problem } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import {
  type AccessSpec,
  type AccountRole,
  accountRoles,
  namespacePermissions,
  type PrincipalRole,
} from '#libs/domain/users'
import type { GrantedAccess } from '#libs/store/access'
import type { UserInvitationRow, UserRow } from '#libs/store/users'
import type { HandlersOf } from '../operations/wire.ts'

export type IdentityHandlers = HandlersOf<'GetCurrentIdentity'>

type WireAccess = temporal.api.cloud.identity.v1.IAccess
type WireNamespaceAccess = temporal.api.cloud.identity.v1.INamespaceAccess

const { Role } = cloud.identity.v1.AccountAccess
const { Permission } = cloud.identity.v1.NamespaceAccess

interface WireEnum {
  readonly value: number
  /** As the deprecated text fields have it. */
  readonly text: string
}

const roles: Readonly<Record<AccountRole, WireEnum>> = {
  owner: { value: Role.ROLE_OWNER, text: 'owner' },
  admin: { value: Role.ROLE_ADMIN, text: 'admin' },
  developer: { value: Role.ROLE_DEVELOPER, text: 'developer' },
  finance_admin: { value: Role.ROLE_FINANCE_ADMIN, text: 'financeadmin' },
  read: { value: Role.ROLE_READ, text: 'read' },
  metrics_read: { value: Role.ROLE_METRICS_READ, text: 'metricsread' },
}

const permissions: Readonly<Record<NamespacePermission, WireEnum>> = {
  admin: { value: Permission.PERMISSION_ADMIN, text: 'admin' },
  write: { value: Permission.PERMISSION_WRITE, text: 'write' },
  read: { value: Permission.PERMISSION_READ, text: 'read' },
}

/** @throws AppError `invalid` for a role or permission that is missing. */
export function accessFromWire(wire: WireAccess, field: string): AccessSpec {
  const problems: Problem[] = []
  const accountRole = roleFromWire(wire, field, problems)
  const rest = grantsFromWire(wire, field, problems)
  if (problems.length > 0 || accountRole === undefined) throw invalid(problems)
  return { accountRole, ...rest }
}

/** Of a group, which may do without a role, and without any access. @throws AppError as {@link accessFromWire} */
export function groupAccessFromWire(wire: WireAccess | null | undefined, field: string): AccessSpec<PrincipalRole> {
  const problems: Problem[] = []
  const { role = 0, roleDeprecated = '' } = wire?.accountAccess ?? {}
  const none = (role ?? 0) === 0 && ['', 'none'].includes(roleDeprecated ?? '')
  const accountRole = none ? 'none' : roleFromWire(wire ?? {}, field, problems)
  const rest = grantsFromWire(wire ?? {}, field, problems)
  if (problems.length > 0 || accountRole === undefined) throw invalid(problems)
  return { accountRole, ...rest }
}

function roleFromWire({ accountAccess }: WireAccess, field: string, problems: Problem[]): AccountRole | undefined {
  const found = accountRoles.find((role) => isMeant(roles[role], accountAccess?.role, accountAccess?.roleDeprecated))
  if (found === undefined) {
    problems.push({ field: `${field}.account_access.role`, message: `must be one of ${accountRoles.join(', ')}` })
  }
  return found
}

function grantsFromWire(wire: WireAccess, field: string, problems: Problem[]) {
  // Who takes a role away sends the list of old clients back as it was: it counts only where the other one is empty.
  const customRoles = wire.accountAccess?.customRoles ?? []
  const customRoleIds = [...new Set(customRoles.length > 0 ? customRoles : (wire.customRolesDeprecated ?? []))]
  const accesses = Object.entries(wire.namespaceAccesses ?? {}).map(
    ([id, access]) => [id, permissionFromWire(access, `${field}.namespace_accesses`, problems)] as const,
  )
  return { namespaceAccesses: Object.fromEntries(accesses), customRoleIds }
}

/**
 * What a Set…NamespaceAccess asks for: nothing, or a message that says nothing, takes the access away.
 * @throws AppError `invalid` for a permission that is none.
 */
export function grantFromWire(wire: WireNamespaceAccess | null | undefined): NamespacePermission | undefined {
  if ((wire?.permission ?? 0) === 0 && (wire?.permissionDeprecated ?? '') === '') return undefined
  const problems: Problem[] = []
  const permission = permissionFromWire(wire, 'access', problems)
  if (problems.length > 0) throw invalid(problems)
  return permission
}

/** Reports a missing permission, and answers the weakest then. */
export function permissionFromWire(
  wire: WireNamespaceAccess | null | undefined,
  field: string,
  problems: Problem[],
): NamespacePermission {
  const found = namespacePermissions.find((name) =>
    isMeant(permissions[name], wire?.permission, wire?.permissionDeprecated),
  )
  if (found !== undefined) return found
  problems.push({ field, message: `the permission must be one of ${namespacePermissions.join(', ')}` })
  return 'read'
}

/** The enum decides where it is set; the text is for clients from before the enum. */
function isMeant(one: WireEnum, value: number | null | undefined, text: string | null | undefined): boolean {
  if (value !== null && value !== undefined && value !== 0) return one.value === value
  return one.text === text?.toLowerCase().replace('_', '')
}

export function accessToWire(accountRole: string, { grants, customRoleIds }: GrantedAccess): WireAccess {
  const role = accountRoles.find((name) => name === accountRole)
  const { value, text } = role === undefined ? { value: Role.ROLE_UNSPECIFIED, text: '' } : roles[role]
  return {
    accountAccess: { role: value, roleDeprecated: text, customRoles: [...customRoleIds] },
    customRolesDeprecated: [...customRoleIds],
    namespaceAccesses: Object.fromEntries([...grants].map(([id, permission]) => [id, permissionToWire(permission)])),
  }
}

export function permissionToWire(permission: NamespacePermission): WireNamespaceAccess {
  const { value, text } = permissions[permission]
  return { permission: value, permissionDeprecated: text }
}

/** @param invitation the open one, when there is one. */
export function userToWire(
  row: UserRow,
  access: GrantedAccess,
  invitation: UserInvitationRow | undefined,
): temporal.api.cloud.identity.v1.IUser {
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: { email: row.email, access: accessToWire(row.account_role, access) },
    // Who was locked out by the identity provider is the only one who is not active.
    ...(row.deactivated_at === null
      ? { state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE, stateDeprecated: 'active' }
      : { state: cloud.resource.v1.ResourceState.RESOURCE_STATE_SUSPENDED, stateDeprecated: 'suspended' }),
    ...(invitation === undefined
      ? {}
      : {
          invitation: {
            createdTime: toTimestamp(invitation.created_at),
            expiredTime: toTimestamp(invitation.expires_at),
          },
        }),
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}
