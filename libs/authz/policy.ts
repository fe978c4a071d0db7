import type { NamespacePermission, OperatorRole, PrincipalRole } from './claims.ts'

/**
 * Who a row lets in. A caller whom any entry lets in is let in, and the most permissive entry wins.
 *
 * - an account role: on everything of the own tenant
 * - `admin_below_owner`: the role `admin`, except on principals that hold the role `owner`. An admin who could make a
 *   key for an owner's service account would be an owner
 * - `namespace_*`: who holds at least that permission on the target's namespace; where the target names none, the
 *   proof is limited to rows of the namespaces where the caller holds it
 * - `operator_*`: an operator of that role
 * - `self`: the target is the caller; where the target does not say whose it is, the proof is limited to the caller's own
 */
export type Who =
  | PrincipalRole
  | 'admin_below_owner'
  | `namespace_${NamespacePermission}`
  | 'self'
  | `operator_${OperatorRole}`
  | 'system'
  | 'anonymous'

const admins = ['owner', 'admin'] as const
const readers = [...admins, 'developer', 'finance_admin', 'read'] as const
const anyMember = [...readers, 'metrics_read', 'none'] as const

const operatorAdmins = ['operator_admin'] as const
/** Who looks after tenants: decides on the waitlist, suspends, issues their certificates. */
const operatorSupport = [...operatorAdmins, 'operator_support'] as const
const operators = [...operatorSupport, 'operator_viewer'] as const

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
    create_user_group: admins,
    create_custom_role: admins,
    /** Besides, `namespace.host_nexus_endpoint` of the target. */
    create_nexus_endpoint: [...admins, 'developer'],
    create_connectivity_rule: admins,
    /** Users and groups from the tenant's identity provider, over SCIM. */
    provision_identities: admins,
    read_usage: [...admins, 'finance_admin'],
    /** Asked besides, by whatever gives a principal the role `owner`. */
    grant_owner: ['owner'],
  },
  identity: { read: anyMember },
  region: { list: [...anyMember, ...operators], read: [...anyMember, ...operators] },
  namespace: {
    list: [...admins, 'namespace_read', 'system'],
    read: [...admins, 'namespace_read', 'system'],
    update: [...admins, 'namespace_admin', 'system'],
    delete: [...admins, 'namespace_admin', 'system'],
    update_tags: admins,
    grant_access: [...admins, 'namespace_admin'],
    create_service_account: [...admins, 'namespace_admin'],
    /** Be the target of a Nexus endpoint. */
    host_nexus_endpoint: [...admins, 'namespace_admin'],
  },
  user_group: {
    list: readers,
    read: readers,
    /** Its access and its members. */
    update: ['owner', 'admin_below_owner'],
    delete: ['owner', 'admin_below_owner'],
  },
  custom_role: {
    list: readers,
    read: readers,
    update: admins,
    delete: admins,
  },
  nexus_endpoint: {
    list: readers,
    read: readers,
    /** Besides, `namespace.host_nexus_endpoint` of the target, present and future. */
    update: [...admins, 'developer'],
    delete: [...admins, 'developer'],
  },
  connectivity_rule: {
    list: readers,
    read: readers,
    delete: admins,
  },
  audit_log: {
    list: admins,
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
    list: [...operators, 'system'],
    read: [...admins, 'namespace_read', 'self', ...operators, 'system'],
    update: ['system'],
  },
  waitlist_entry: {
    /** Anybody may join. */
    create: ['anonymous'],
    list: operators,
    read: operators,
    /** Approve, reject. */
    update: operatorSupport,
  },
  invitation: {
    /** The one-time token in the request is the credential, and the store checks it. */
    accept: ['anonymous'],
  },
  tenant: {
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    /** Suspend, resume. */
    update: operatorSupport,
    create_certificate: operatorSupport,
    /** Its limits: requests a second, operations in flight. */
    update_limits: operatorAdmins,
  },
  certificate: {
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    /** Revoke. Those of operators take `operator.update` besides. */
    delete: operatorSupport,
  },
  cell: {
    create: [...operatorAdmins, 'system'],
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    update: [...operatorAdmins, 'system'],
    delete: [...operatorAdmins, 'system'],
  },
  node: {
    create: ['system'],
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    update: ['system'],
    delete: [...operatorAdmins, 'system'],
  },
  operator: {
    list: operators,
    read: operators,
    create: operatorAdmins,
    /** Role, certificates, revocation. */
    update: operatorAdmins,
    delete: operatorAdmins,
  },
  /** What operators and strangers did, and every tenant's log. */
  fleet_audit_log: {
    list: operatorSupport,
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
