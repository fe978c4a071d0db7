import { invalidField } from '#libs/base'
import type { temporal } from '#libs/cloud-api'
import { type AccessSpec, accountRoles, type UserSpec } from '#libs/domain/users'
import type { GrantedAccess } from '#libs/store/access'
import type { UserRow } from '#libs/store/users'
import { accessFromWire } from '../identity/wire.ts'
import type { HandlersOf } from '../operations/wire.ts'

export type UserHandlers = HandlersOf<
  'CreateUser' | 'GetUsers' | 'GetUser' | 'UpdateUser' | 'DeleteUser' | 'SetUserNamespaceAccess'
>

/** @throws AppError `invalid` */
export function userSpecFromWire(wire: temporal.api.cloud.identity.v1.IUserSpec | null | undefined): UserSpec {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  return { email: wire.email ?? '', access: accessFromWire(wire.access ?? {}, 'spec.access') }
}

/** The spec of a row and its access, as an update is compared with. */
export function userSpecOf(row: UserRow, { grants, customRoleIds }: GrantedAccess) {
  const accountRole = accountRoles.find((role) => role === row.account_role) ?? 'none'
  const access: AccessSpec<typeof accountRole> = {
    accountRole,
    namespaceAccesses: Object.fromEntries(grants),
    customRoleIds,
  }
  return { email: row.email, access }
}
