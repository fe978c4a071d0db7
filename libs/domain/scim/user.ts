import { emailMistake } from '#libs/domain/users'
import { attribute, booleanOf, type Json, objectOf, textOf } from './json.ts'
import type { PatchOperation } from './patch.ts'
import { ScimError } from './scim-error.ts'

/**
 * What is kept of a SCIM user. Names, titles, telephone numbers and the like are taken and not kept: nothing here needs
 * them (RFC 7644, 3.3, lets a server ignore attributes).
 */
export interface UserResource {
  /** An e-mail address: it is what a person is known by. */
  readonly userName: string
  /** The identity provider's own id. */
  readonly externalId: string | undefined
  /** Who is not active is locked out, and keeps what it has. */
  readonly active: boolean
}

/** Of the core schema, and of the enterprise extension as a whole: known, and not kept. */
const ignored =
  /^(schemas|id|meta|name(\..*)?|displayName|nickName|profileUrl|title|userType|preferredLanguage|locale|timezone|password|emails(\[.*\])?(\..*)?|phoneNumbers(\[.*\])?(\..*)?|ims|photos(\[.*\])?(\..*)?|addresses(\[.*\])?(\..*)?|groups|entitlements|roles(\[.*\])?(\..*)?|x509Certificates|urn:ietf:params:scim:schemas:extension:.*)$/i

/** A whole user, of POST and PUT. @throws ScimError */
export function userFromScim(body: unknown): UserResource {
  const json = objectOf(body, 'the body')
  const userName = textOf(attribute(json, 'userName'), 'userName') ?? ''
  const mistake = emailMistake(userName)
  if (mistake !== undefined) throw new ScimError('invalidValue', `userName ${mistake}`)
  return {
    userName,
    externalId: textOf(attribute(json, 'externalId'), 'externalId'),
    active: booleanOf(attribute(json, 'active'), 'active') ?? true,
  }
}

/** @throws ScimError */
export function patchUser(user: UserResource, operations: readonly PatchOperation[]): UserResource {
  return operations.reduce(applyOperation, user)
}

function applyOperation(user: UserResource, { op, path, value }: PatchOperation): UserResource {
  if (path !== '') return applyAttribute(user, op, path, value)
  const attributes: Json = objectOf(value, 'the value of an operation without a path')
  return Object.entries(attributes).reduce((each, [name, one]) => applyAttribute(each, op, name, one), user)
}

function applyAttribute(user: UserResource, op: PatchOperation['op'], path: string, value: unknown): UserResource {
  switch (path.toLowerCase()) {
    case 'active':
      if (op === 'remove') throw new ScimError('mutability', 'active cannot be removed')
      return { ...user, active: booleanOf(value, 'active') ?? user.active }
    case 'externalid':
      return { ...user, externalId: op === 'remove' ? undefined : textOf(value, 'externalId') }
    case 'username':
      if (op === 'remove') throw new ScimError('mutability', 'userName cannot be removed')
      return { ...user, userName: textOf(value, 'userName') ?? '' }
    default:
      if (ignored.test(path)) return user
      throw new ScimError('invalidPath', `there is no attribute ${JSON.stringify(path.slice(0, 100))} of a user`)
  }
}
