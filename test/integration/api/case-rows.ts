import { status } from '@grpc/grpc-js'
import type { RpcName } from '#libs/cloud-api'
import { type MutableTenant, validMutations } from './valid-mutations.ts'

/** A request, made anew for each call, with what it needs already there. */
export type Make = (tenant: MutableTenant) => Promise<object>
/** Why a case does not apply to a method. */
export type Why = string

/** An id that a request names. */
export interface NamedId {
  /** Makes what has such an id. */
  readonly of: (tenant: MutableTenant) => Promise<string>
  /** The request with this id, and all else in order. */
  readonly request: (tenant: MutableTenant, id: string) => Promise<object>
  /** What it comes to when nobody has that id, or another tenant. OK: a list, and an empty one. */
  readonly code: number
}

export interface Conflict {
  readonly request: Make
  readonly code: number
}

/** What a method is tried with. Each case has a request, or says why there is none. */
export interface Row {
  readonly right: Make
  /** Each of these ids, as one that nobody has (missing), and as another tenant's (foreign). */
  readonly ids: Readonly<Record<string, NamedId>> | Why
  readonly conflicting: Readonly<Record<string, Conflict>> | Why
  /** The same request again, with the same async_operation_id: of every mutation. */
  readonly repeated: true | Why
  readonly noOp: Make | Why
  /** A request of a list with at least two entries. */
  readonly paged: Make | Why
}

export const missing = status.NOT_FOUND
export const wrong = status.INVALID_ARGUMENT

/** What has an id, and how a tenant comes by one. */
export const nouns = {
  namespace: (t: MutableTenant) => t.namespace(),
  user: (t: MutableTenant) => t.user(),
  group: (t: MutableTenant) => t.group(),
  serviceAccount: (t: MutableTenant) => t.serviceAccount(),
  apiKey: (t: MutableTenant) => t.apiKey(),
  customRole: (t: MutableTenant) => t.customRole(),
  connectivityRule: (t: MutableTenant) => t.connectivityRule(),
  nexusEndpoint: (t: MutableTenant) => t.nexusEndpoint(),
  operation: async (t: MutableTenant): Promise<string> =>
    (await t.done('CreateUserGroup', await valid('CreateUserGroup')(t))).asyncOperation.id,
} as const
type Noun = keyof typeof nouns

export const valid = (rpc: RpcName): Make => {
  const make = validMutations[rpc]
  if (make === undefined) throw new Error(`${rpc} has no row in valid-mutations.ts: add a request that is in order`)
  return make
}

/** The request with a value at a path of field names: `spec.ownerId`. */
export function at(request: object, path: readonly string[], value: unknown): object {
  const [name = '', ...deeper] = path
  if (deeper.length === 0) return { ...request, [name]: value }
  const inner = (request as Readonly<Record<string, object | undefined>>)[name] ?? {}
  return { ...request, [name]: at(inner, deeper, value) }
}

/** Ids in fields of an otherwise right request. */
export function fields(make: Make, ids: Readonly<Record<string, Noun>>, code: number = missing): Row['ids'] {
  const named = Object.entries(ids).map(([path, noun]): [string, NamedId] => [
    path,
    { of: nouns[noun], code, request: async (t, id) => at(await make(t), path.split('.'), id) },
  ])
  return Object.fromEntries(named)
}

/** An id somewhere in a request, by a value that holds it. */
export function held(
  make: Make,
  path: string,
  noun: Noun,
  value: (id: string) => unknown,
  code: number = missing,
): NamedId {
  return { of: nouns[noun], code, request: async (t, id) => at(await make(t), path.split('.'), value(id)) }
}

/** What a user, group or service account may be granted, in `spec.access`. */
export function granted(rpc: RpcName): Readonly<Record<string, NamedId>> {
  const grant = (id: string) => ({ [id]: { permission: 'PERMISSION_READ' } })
  return {
    // Whose a namespace is stands in its id: nothing is looked up for another tenant's.
    'a granted namespace': held(valid(rpc), 'spec.access.namespaceAccesses', 'namespace', grant, wrong),
    'a custom role': held(valid(rpc), 'spec.access.accountAccess.customRoles', 'customRole', (id) => [id]),
  }
}

export const none = {
  read: 'it changes nothing',
  unpaged: 'no list',
  creates: 'it makes something new',
  deletes: 'it leaves nothing that could be the same',
} as const

export function read(right: Make, ids: Row['ids']): Row {
  return { right, ids, conflicting: none.read, repeated: none.read, noOp: none.read, paged: none.unpaged }
}

/** @param filters ids that entries are picked by: of others, and of nobody, there is nothing. */
export function list(right: Make, filters: Row['ids']): Row {
  return { ...read(right, filters), paged: right }
}

export const nothingTaken = 'names are not unique here'

export function create(rpc: RpcName, ids: Row['ids'], taken: Make | Why): Row {
  return {
    right: valid(rpc),
    ids,
    conflicting: typeof taken === 'string' ? taken : { taken: { request: taken, code: status.ALREADY_EXISTS } },
    repeated: true,
    noOp: none.creates,
    paged: none.unpaged,
  }
}

const staleOf = (rpc: RpcName): Conflict => ({
  request: async (t) => ({ ...(await valid(rpc)(t)), resourceVersion: '999999' }),
  code: status.FAILED_PRECONDITION,
})

interface Change {
  readonly ids: Row['ids']
  readonly noOp: Make | Why
  readonly taken?: Make
}

/** A change of something that has a version. */
export function change(rpc: RpcName, { ids, noOp, taken }: Change): Row {
  const conflicting = {
    stale: staleOf(rpc),
    ...(taken === undefined ? {} : { taken: { request: taken, code: status.ALREADY_EXISTS } }),
  }
  return { right: valid(rpc), ids, conflicting, repeated: true, noOp, paged: none.unpaged }
}

/** Takes no version: what is there already, or gone already, is a conflict of its own. */
export function unversioned(rpc: RpcName, cases: Pick<Row, 'ids' | 'conflicting' | 'noOp'>): Row {
  return { right: valid(rpc), ...cases, repeated: true, paged: none.unpaged }
}

export const remove = (rpc: RpcName, id: string, noun: Noun) =>
  change(rpc, { ids: fields(valid(rpc), { [id]: noun }), noOp: none.deletes })

/** An update that sends what was read. */
export const unchanged =
  (noun: Noun, id: string, rpc: RpcName, field: string): Make =>
  async (t) => {
    const named = { [id]: await nouns[noun](t) }
    const { spec, resourceVersion } = await t.read(rpc, named, field)
    return { ...named, ...(spec === undefined ? {} : { spec }), resourceVersion }
  }

/** The valid request, with one field as another thing of the tenant has it. */
export const taking =
  (rpc: RpcName, path: string, other: (t: MutableTenant) => Promise<string>): Make =>
  async (t) => {
    const value = await other(t)
    return at(await valid(rpc)(t), path.split('.'), value)
  }

/** Done once, and asked for again. */
export const again =
  (rpc: RpcName): Make =>
  async (t) => {
    const request = await valid(rpc)(t)
    await t.done(rpc, request)
    return request
  }

/** Set once, and set again with the version that it has then. */
export const set =
  (rpc: RpcName, id: string, get: RpcName, field: string): Make =>
  async (t) => {
    const request = (await again(rpc)(t)) as Readonly<Record<string, unknown>>
    const { resourceVersion } = await t.read(get, { [id]: request[id] }, field)
    return { ...request, resourceVersion }
  }

export const one =
  (noun: Noun, field: string): Make =>
  async (t) => ({ [field]: await nouns[noun](t) })

export const several =
  (make: (t: MutableTenant) => Promise<unknown>, request: object = {}): Make =>
  async (t) => {
    await make(t)
    await make(t)
    return request
  }

const nameOf = (rpc: RpcName, make: Noun, id: string, field: string, name: string) => async (t: MutableTenant) =>
  (await t.read(rpc, { [id]: await nouns[make](t) }, field)).spec[name]

export const groupName = nameOf('GetUserGroup', 'group', 'groupId', 'group', 'displayName')
export const roleName = nameOf('GetCustomRole', 'customRole', 'roleId', 'customRole', 'name')
export const accountName = nameOf('GetServiceAccount', 'serviceAccount', 'serviceAccountId', 'serviceAccount', 'name')
export const endpointName = nameOf('GetNexusEndpoint', 'nexusEndpoint', 'endpointId', 'endpoint', 'name')

/** Somebody of each kind who has a permission on a new namespace. */
export const assigned =
  (rpc: RpcName): Make =>
  async (t) => {
    const namespace = await t.namespace()
    for (const _ of [1, 2]) {
      const request = await valid(rpc)(t)
      await t.done(rpc, { ...request, namespace })
    }
    return { namespace }
  }
