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
 * - `self`: the target is the caller, a principal or an operator; where a principal's target does not say whose it is, the
 *   proof is limited to the caller's own
 */
export type Who =
  | PrincipalRole
  | 'admin_below_owner'
  | `namespace_${NamespacePermission}`
  | 'self'
  | `operator_${OperatorRole}`
  | 'system'
  | 'anonymous'

const owners = ['owner'] as const
const admins = [...owners, 'admin'] as const
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
    /** Who makes and hands out roles decides who may do what: the owners' affair, as in the public product. */
    create_custom_role: owners,
    /** Asked besides, by whatever gives a principal a custom role that it did not hold. */
    assign_custom_role: owners,
    /** Besides, `namespace.host_nexus_endpoint` of the target. */
    create_nexus_endpoint: [...admins, 'developer'],
    create_connectivity_rule: admins,
    /** Users and groups from the tenant's identity provider, over SCIM; by an admin's key, no owners. */
    provision_identities: ['owner', 'admin_below_owner'],
    read_usage: [...admins, 'finance_admin'],
    create_billing_report: [...admins, 'finance_admin'],
    read_billing_report: [...admins, 'finance_admin'],
    create_audit_log_sink: admins,
    validate_audit_log_sink: admins,
    /** Asked besides, by whatever gives a principal the role `owner`. No custom role gives it. */
    grant_owner: owners,
  },
  identity: { read: anyMember },
  region: { list: [...anyMember, ...operators], read: [...anyMember, ...operators] },
  namespace: {
    list: [...admins, 'namespace_read', 'system'],
    read: [...admins, 'namespace_read', 'system'],
    update: [...admins, 'namespace_admin', 'system'],
    delete: [...admins, 'namespace_admin', 'system'],
    update_tags: admins,
    rename_search_attribute: [...admins, 'namespace_admin'],
    read_capacity: [...admins, 'namespace_read'],
    read_user_assignments: [...admins, 'namespace_read'],
    read_service_account_assignments: [...admins, 'namespace_read'],
    read_user_group_assignments: [...admins, 'namespace_read'],
    grant_user_access: [...admins, 'namespace_admin'],
    grant_service_account_access: [...admins, 'namespace_admin'],
    grant_user_group_access: [...admins, 'namespace_admin'],
    add_region: [...admins, 'namespace_admin'],
    delete_region: [...admins, 'namespace_admin'],
    fail_over: [...admins, 'namespace_admin'],
    create_export_sink: [...admins, 'namespace_admin'],
    list_export_sinks: [...admins, 'namespace_read'],
    read_export_sink: [...admins, 'namespace_read'],
    update_export_sink: [...admins, 'namespace_admin'],
    delete_export_sink: [...admins, 'namespace_admin'],
    validate_export_sink: [...admins, 'namespace_admin'],
    create_service_account: [...admins, 'namespace_admin'],
    /** Be the target of a Nexus endpoint. */
    host_nexus_endpoint: [...admins, 'namespace_admin'],
  },
  user_group: {
    list: readers,
    read: readers,
    read_members: readers,
    /** Its name and its access. */
    update: ['owner', 'admin_below_owner'],
    add_member: ['owner', 'admin_below_owner'],
    remove_member: ['owner', 'admin_below_owner'],
    delete: ['owner', 'admin_below_owner'],
  },
  custom_role: {
    list: readers,
    read: readers,
    update: owners,
    delete: owners,
  },
  nexus_endpoint: {
    list: readers,
    read: [...readers, 'system'],
    /** Besides, `namespace.host_nexus_endpoint` of the target, present and future. */
    update: [...admins, 'developer', 'system'],
    delete: [...admins, 'developer'],
  },
  connectivity_rule: {
    list: [...admins, 'developer'],
    read: [...admins, 'developer'],
    delete: admins,
  },
  audit_log: {
    list: admins,
  },
  audit_log_sink: {
    list: admins,
    read: admins,
    update: admins,
    delete: admins,
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
    /** Whoever could disable owners' keys could lock them out, and whoever could enable one again that leaked, be one. */
    update: ['owner', 'admin_below_owner', 'namespace_admin', 'self'],
    delete: ['owner', 'admin_below_owner', 'namespace_admin', 'self'],
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
    /** Mail those of users that no mail server took yet. */
    send: ['system'],
  },
  tenant: {
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    /** Suspend, resume. */
    update: operatorSupport,
    /** Mail one of its users a new invitation: the way back in for who has no key any more. */
    invite_user: operatorSupport,
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
    /** Have another machine take its place. */
    replace: operatorAdmins,
  },
  /** A change of what the nodes of a region's cells are made from. */
  rollout: {
    create: operatorAdmins,
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    /** Pause, resume, cancel, roll back; and move it on. */
    update: [...operatorAdmins, 'system'],
  },
  /** Namespaces on their way from one cell to another. */
  move: {
    create: operatorAdmins,
    list: [...operators, 'system'],
    read: [...operators, 'system'],
    /** Abort it; the system: bring it on. */
    update: [...operatorAdmins, 'system'],
  },
  /** What the collectors found without an owner. */
  orphan: {
    list: operators,
    /** Note it, delete it. */
    update: ['system'],
  },
  /** What cells cost, and how full they are. */
  cost: {
    list: operators,
    read: operators,
  },
  operator: {
    list: operators,
    read: operators,
    create: operatorAdmins,
    /** Role, revocation of certificates. */
    update: operatorAdmins,
    delete: operatorAdmins,
    /** Renew its own with the present one, whatever its role; an admin issues everybody's. */
    create_certificate: [...operatorAdmins, 'self'],
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
