import { attribute, type Json, objectOf, textOf } from './json.ts'
import type { PatchOperation } from './patch.ts'
import { ScimError } from './scim-error.ts'

/** What is kept of a SCIM group. */
export interface GroupResource {
  readonly displayName: string
  /** The identity provider's own id. */
  readonly externalId: string | undefined
  /** Ids of users. */
  readonly members: readonly string[]
}

/** A patch of a large group must not have to name all its members: who comes and who goes, besides the names. */
export interface GroupChange {
  readonly displayName?: string
  readonly externalId?: string
  /** When set, these and nobody else, before `add` and `remove`. */
  readonly members?: readonly string[]
  readonly add: ReadonlySet<string>
  readonly remove: ReadonlySet<string>
}

const maxMembers = 10_000
const memberFilter = /^members\[\s*value\s+eq\s+"([^"\\]{1,128})"\s*\]$/i

/** A whole group, of POST and PUT. @throws ScimError */
export function groupFromScim(body: unknown): GroupResource {
  const json = objectOf(body, 'the body')
  return {
    displayName: displayNameOf(attribute(json, 'displayName')),
    externalId: textOf(attribute(json, 'externalId'), 'externalId'),
    members: membersOf(attribute(json, 'members') ?? []),
  }
}

/** What the operations come to, one after the other. @throws ScimError */
export function patchGroup(operations: readonly PatchOperation[]): GroupChange {
  return operations.reduce(applyOperation, { add: new Set<string>(), remove: new Set<string>() })
}

function applyOperation(change: GroupChange, { op, path, value }: PatchOperation): GroupChange {
  if (path !== '') return applyAttribute(change, op, path, value)
  const attributes: Json = objectOf(value, 'the value of an operation without a path')
  return Object.entries(attributes).reduce((each, [name, one]) => applyAttribute(each, op, name, one), change)
}

function applyAttribute(change: GroupChange, op: PatchOperation['op'], path: string, value: unknown): GroupChange {
  const one = memberFilter.exec(path)?.[1]
  if (one !== undefined && op === 'remove') return without(change, [one])
  switch (path.toLowerCase()) {
    case 'displayname':
      if (op === 'remove') throw new ScimError('mutability', 'displayName cannot be removed')
      return { ...change, displayName: displayNameOf(value) }
    case 'externalid': {
      const externalId = textOf(value, 'externalId')
      return op === 'remove' || externalId === undefined ? change : { ...change, externalId }
    }
    case 'members':
      if (op === 'replace') return { ...change, members: membersOf(value), add: new Set(), remove: new Set() }
      if (op === 'add') return withMembers(change, membersOf(value))
      // Without a value, everybody goes; some identity providers name whom.
      return value === undefined || value === null
        ? { ...change, members: [], add: new Set(), remove: new Set() }
        : without(change, membersOf(value))
    case 'schemas':
    case 'id':
    case 'meta':
      return change
    default:
      throw new ScimError('invalidPath', `there is no attribute ${JSON.stringify(path.slice(0, 100))} of a group`)
  }
}

function withMembers(change: GroupChange, ids: readonly string[]): GroupChange {
  return { ...change, add: change.add.union(new Set(ids)), remove: change.remove.difference(new Set(ids)) }
}

function without(change: GroupChange, ids: readonly string[]): GroupChange {
  return { ...change, add: change.add.difference(new Set(ids)), remove: change.remove.union(new Set(ids)) }
}

function displayNameOf(value: unknown): string {
  const name = textOf(value, 'displayName')
  if (name === undefined) throw new ScimError('invalidValue', 'displayName must be given')
  return name
}

function membersOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > maxMembers) throw new ScimError('invalidValue', `at most ${maxMembers} members at once`)
  const ids = list.map(
    (entry) => textOf(attribute(objectOf(entry, 'a member'), 'value'), 'the value of a member') ?? '',
  )
  return [...new Set(ids)]
}
