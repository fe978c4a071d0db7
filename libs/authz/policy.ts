import type { AccountRole, NamespacePermission } from './claims.ts'

/**
 * Who a row lets in. A caller whom any entry lets in is let in, and the most permissive entry wins.
 *
 * - an account role: on everything of the own tenant
 * - `admin_below_owner`: the role `admin`, except on principals that hold the role `owner`. An admin who could make a
 *   key for an owner's service account would be an owner
 * - `namespace_*`: who holds at least that permission on the target's namespace; where the target names none, the
 *   proof is limited to rows of the namespaces where the caller holds it
 * - `self`: the target is the caller; where the target does not say whose it is, the proof is limited to the caller's own
 */
export type Who =
  | AccountRole
  | 'admin_below_owner'
  | `namespace_${NamespacePermission}`
  | 'self'
  | 'operator'
  | 'system'
  | 'anonymous'

const admins = ['owner', 'admin'] as const
const readers = [...admins, 'developer', 'finance_admin', 'read'] as const
const anyMember = [...readers, 'metrics_read', 'none'] as const

/**
 * The whole policy: resource × action × who. What is not here is denied. `read` of a resource decides whether a denial
 * says "forbidden" or "not found". Creating is an action on the parent. After the public permissions reference of
 * Temporal Cloud (https://docs.temporal.io/cloud/manage-access/permissions-reference); the golden matrix in
 * `test/policy` shows what it comes to.
 */
export const policy = {
  account: {
    read: anyMember,
    update: admins,
    create_namespace: [...admins, 'developer'],
    create_user: admins,
    create_service_account: admins,
    /** Asked besides, by whatever gives a principal the role `owner`. */
    grant_owner: ['owner'],
  },
  identity: { read: anyMember },
  region: { list: [...anyMember, 'operator'], read: [...anyMember, 'operator'] },
  namespace: {
    list: [...admins, 'namespace_read', 'system'],
    read: [...admins, 'namespace_read', 'system'],
    update: [...admins, 'namespace_admin', 'system'],
    delete: [...admins, 'namespace_admin', 'system'],
    update_tags: admins,
    grant_access: [...admins, 'namespace_admin'],
    create_service_account: [...admins, 'namespace_admin'],
  },
  user: {
    list: readers,
    read: [...readers, 'self'],
    update: ['owner', 'admin_below_owner'],
    delete: ['owner', 'admin_below_owner'],
    /** A person's key is that person's to make, and nobody else's. */
    create_api_key: ['self'],
  },
  service_account: {
    list: [...readers, 'namespace_admin'],
    read: [...readers, 'namespace_admin', 'self'],
    update: ['owner', 'admin_below_owner', 'namespace_admin'],
    delete: ['owner', 'admin_below_owner', 'namespace_admin'],
    create_api_key: ['owner', 'admin_below_owner', 'namespace_admin', 'self'],
  },
  api_key: {
    list: [...admins, 'namespace_admin', 'self'],
    read: [...admins, 'namespace_admin', 'self'],
    update: [...admins, 'namespace_admin', 'self'],
    delete: [...admins, 'namespace_admin', 'self'],
  },
  operation: {
    /** Every tenant's, with why each one waits: the operator's view. */
    list: ['operator', 'system'],
    read: [...admins, 'namespace_read', 'self', 'operator', 'system'],
    update: ['system'],
  },
  waitlist_entry: {
    /** Anybody may join. */
    create: ['anonymous'],
    list: ['operator'],
    read: ['operator'],
    /** Approve, reject. */
    update: ['operator'],
  },
  invitation: {
    /** The one-time token in the request is the credential, and the store checks it. */
    accept: ['anonymous'],
  },
  tenant: {
    list: ['operator', 'system'],
    read: ['operator', 'system'],
    /** Suspend, resume. */
    update: ['operator'],
    create_certificate: ['operator'],
  },
  certificate: {
    list: ['operator', 'system'],
    read: ['operator', 'system'],
    /** Revoke. */
    delete: ['operator'],
  },
  cell: {
    create: ['operator', 'system'],
    list: ['operator', 'system'],
    read: ['operator', 'system'],
    update: ['operator', 'system'],
    delete: ['operator', 'system'],
  },
  node: {
    create: ['system'],
    list: ['operator', 'system'],
    read: ['operator', 'system'],
    update: ['system'],
    delete: ['operator', 'system'],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, readonly Who[]>>>>

export type Resource = keyof typeof policy
export type Action<R extends Resource> = keyof (typeof policy)[R] & string
/** `namespace.update` and the like. */
export type Permission = { [R in Resource]: `${R}.${Action<R>}` }[Resource]

/** The row of one action; empty for whatever the table does not know. */
export function whoMay(resource: string, action: string): readonly Who[] {
  const rows: Readonly<Record<string, Readonly<Record<string, readonly Who[]>>>> = policy
  if (!Object.hasOwn(rows, resource)) return []
  const row = rows[resource] ?? {}
  return Object.hasOwn(row, action) ? (row[action] ?? []) : []
}
