import { invalidField } from '#libs/base'
import { cloud, type temporal, toTimestamp } from '#libs/cloud-api'
import type { UserGroupSource, UserGroupSpec } from '#libs/domain/user-groups'
import { type AccessSpec, accountRoles } from '#libs/domain/users'
import type { GrantedAccess } from '#libs/store/access'
import type { UserGroupMemberRow, UserGroupRow } from '#libs/store/user-groups'
import { accessToWire, groupAccessFromWire } from '../identity/wire.ts'
import type { HandlersOf } from '../operations/wire.ts'

export type UserGroupHandlers = HandlersOf<
  | 'CreateUserGroup'
  | 'GetUserGroups'
  | 'GetUserGroup'
  | 'UpdateUserGroup'
  | 'DeleteUserGroup'
  | 'SetUserGroupNamespaceAccess'
>
export type UserGroupMemberHandlers = HandlersOf<'AddUserGroupMember' | 'RemoveUserGroupMember' | 'GetUserGroupMembers'>

type WireSpec = temporal.api.cloud.identity.v1.IUserGroupSpec

/** @throws AppError `invalid` */
export function userGroupSpecFromWire(wire: WireSpec | null | undefined): UserGroupSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  return {
    displayName: wire.displayName ?? '',
    source: sourceFromWire(wire),
    access: groupAccessFromWire(wire.access, 'spec.access'),
  }
}

function sourceFromWire({ cloudGroup, googleGroup, scimGroup }: WireSpec): UserGroupSource {
  if (googleGroup) return { kind: 'google', emailAddress: googleGroup.emailAddress ?? '' }
  if (scimGroup) return { kind: 'scim', idpId: scimGroup.idpId ?? '' }
  if (cloudGroup) return { kind: 'cloud' }
  throw invalidField('spec', 'one of cloud_group, google_group and scim_group must be given')
}

/** The spec of a row and its access, as an update is compared with. */
export function userGroupSpecOf(row: UserGroupRow, { grants, customRoleIds }: GrantedAccess): UserGroupSpec {
  const accountRole = accountRoles.find((role) => role === row.account_role) ?? 'none'
  const access: AccessSpec<typeof accountRole> = {
    accountRole,
    namespaceAccesses: Object.fromEntries(grants),
    customRoleIds,
  }
  return { displayName: row.display_name, source: sourceOf(row), access }
}

function sourceOf(row: UserGroupRow): UserGroupSource {
  switch (row.kind) {
    case 'cloud':
      return { kind: 'cloud' }
    case 'google':
      return { kind: 'google', emailAddress: row.google_email ?? '' }
    case 'scim':
      return { kind: 'scim', idpId: row.scim_idp_id ?? '' }
  }
}

/** `spec.access` is always there: clients follow it without a look. */
export function userGroupToWire(row: UserGroupRow, access: GrantedAccess): temporal.api.cloud.identity.v1.IUserGroup {
  const source = sourceOf(row)
  return {
    id: row.id,
    resourceVersion: String(row.resource_version),
    spec: {
      displayName: row.display_name,
      access: accessToWire(row.account_role, access),
      ...(source.kind === 'cloud' ? { cloudGroup: {} } : {}),
      ...(source.kind === 'google' ? { googleGroup: { emailAddress: source.emailAddress } } : {}),
      ...(source.kind === 'scim' ? { scimGroup: { idpId: source.idpId } } : {}),
    },
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
    stateDeprecated: 'active',
    createdTime: toTimestamp(row.created_at),
    ...(row.updated_at === null ? {} : { lastModifiedTime: toTimestamp(row.updated_at) }),
  }
}

export function memberToWire(row: UserGroupMemberRow): temporal.api.cloud.identity.v1.IUserGroupMember {
  return { memberId: { userId: row.user_id }, createdTime: toTimestamp(row.created_at) }
}
