import type { temporal } from '#libs/cloud-api'
import type { Assignment } from '#libs/store/access'
import { permissionToWire } from '../identity/wire.ts'
import type { HandlersOf } from '../operations/wire.ts'

export type NamespaceAssignmentHandlers = HandlersOf<
  | 'GetUserNamespaceAssignments'
  | 'GetServiceAccountNamespaceAssignments'
  | 'GetUserGroupNamespaceAssignments'
  | 'SetServiceAccountNamespaceAccess'
>

type Identity = typeof temporal.api.cloud.identity.v1

export function userAssignmentToWire(row: Assignment): InstanceShape<'UserNamespaceAssignment'> {
  return { ...common(row), email: row.label }
}

export function serviceAccountAssignmentToWire(row: Assignment): InstanceShape<'ServiceAccountNamespaceAssignment'> {
  return { ...common(row), name: row.label }
}

export function userGroupAssignmentToWire(row: Assignment): InstanceShape<'UserGroupNamespaceAssignment'> {
  return { ...common(row), displayName: row.label }
}

type InstanceShape<Name extends keyof Identity> = Identity[Name] extends { encode(message: infer M): unknown }
  ? M
  : never

function common({ id, resourceVersion, permission, inherited }: Assignment) {
  return {
    id,
    resourceVersion: String(resourceVersion),
    namespaceAccess: permissionToWire(permission),
    inheritedAccess: inherited,
  }
}
