import type { CustomResourceType } from '#libs/domain/custom-roles'
import type { Permission } from './policy.ts'

/** What one action of a custom role gives, and on which type of resource it may be given. */
interface CustomAction {
  readonly on: readonly [CustomResourceType, ...CustomResourceType[]]
  readonly gives: Permission
}

const onAccount = ['account'] as const
const onNamespace = ['namespace'] as const
const onNexusEndpoint = ['nexus_endpoint'] as const
const onConnectivityRule = ['connectivity_rule'] as const
const onCustomRole = ['custom_role'] as const

/**
 * Every action that a custom role may name, and the one row of the policy that it gives. After the public reference of
 * custom-role permissions: one action a method of the contract, and lists belong to the account. Creating, there an
 * action on a project, is one on the account here, which has no projects. Whatever is not in here no custom role can
 * give: API keys, service accounts, provisioning over SCIM, the role `owner`, and anything on the data plane.
 */
export const customActions: Readonly<Record<string, CustomAction>> = {
  'cloud.account.get': { on: onAccount, gives: 'account.read' },
  'cloud.account.update': { on: onAccount, gives: 'account.update' },
  'cloud.asyncoperation.get': { on: onAccount, gives: 'operation.read' },
  'cloud.auditlog.createSink': { on: onAccount, gives: 'account.create_audit_log_sink' },
  'cloud.auditlog.deleteSink': { on: onAccount, gives: 'audit_log_sink.delete' },
  'cloud.auditlog.getSink': { on: onAccount, gives: 'audit_log_sink.read' },
  'cloud.auditlog.list': { on: onAccount, gives: 'audit_log.list' },
  'cloud.auditlog.listSinks': { on: onAccount, gives: 'audit_log_sink.list' },
  'cloud.auditlog.updateSink': { on: onAccount, gives: 'audit_log_sink.update' },
  'cloud.auditlog.validateSink': { on: onAccount, gives: 'account.validate_audit_log_sink' },
  'cloud.billingreport.create': { on: onAccount, gives: 'account.create_billing_report' },
  'cloud.billingreport.get': { on: onAccount, gives: 'account.read_billing_report' },
  'cloud.connectivityrule.create': { on: onAccount, gives: 'account.create_connectivity_rule' },
  'cloud.connectivityrule.list': { on: onAccount, gives: 'connectivity_rule.list' },
  'cloud.customrole.assign': { on: onAccount, gives: 'account.assign_custom_role' },
  'cloud.customrole.create': { on: onAccount, gives: 'account.create_custom_role' },
  'cloud.customrole.list': { on: onAccount, gives: 'custom_role.list' },
  'cloud.namespace.create': { on: onAccount, gives: 'account.create_namespace' },
  // An earlier public text has it on namespaces: there, it lists these alone.
  'cloud.namespace.list': { on: ['account', 'namespace'], gives: 'namespace.list' },
  'cloud.nexusendpoint.create': { on: onAccount, gives: 'account.create_nexus_endpoint' },
  'cloud.nexusendpoint.list': { on: onAccount, gives: 'nexus_endpoint.list' },
  'cloud.region.get': { on: onAccount, gives: 'region.read' },
  'cloud.region.list': { on: onAccount, gives: 'region.list' },
  'cloud.usage.get': { on: onAccount, gives: 'account.read_usage' },
  'cloud.user.create': { on: onAccount, gives: 'account.create_user' },
  'cloud.user.delete': { on: onAccount, gives: 'user.delete' },
  'cloud.user.get': { on: onAccount, gives: 'user.read' },
  'cloud.user.list': { on: onAccount, gives: 'user.list' },
  'cloud.user.update': { on: onAccount, gives: 'user.update' },
  'cloud.usergroup.addMember': { on: onAccount, gives: 'user_group.add_member' },
  'cloud.usergroup.create': { on: onAccount, gives: 'account.create_user_group' },
  'cloud.usergroup.delete': { on: onAccount, gives: 'user_group.delete' },
  'cloud.usergroup.get': { on: onAccount, gives: 'user_group.read' },
  'cloud.usergroup.getMembers': { on: onAccount, gives: 'user_group.read_members' },
  'cloud.usergroup.list': { on: onAccount, gives: 'user_group.list' },
  'cloud.usergroup.removeMember': { on: onAccount, gives: 'user_group.remove_member' },
  'cloud.usergroup.update': { on: onAccount, gives: 'user_group.update' },

  'cloud.namespace.addRegion': { on: onNamespace, gives: 'namespace.add_region' },
  'cloud.namespace.capacityinfo.get': { on: onNamespace, gives: 'namespace.read_capacity' },
  'cloud.namespace.delete': { on: onNamespace, gives: 'namespace.delete' },
  'cloud.namespace.deleteRegion': { on: onNamespace, gives: 'namespace.delete_region' },
  'cloud.namespace.exportsink.create': { on: onNamespace, gives: 'namespace.create_export_sink' },
  'cloud.namespace.exportsink.delete': { on: onNamespace, gives: 'namespace.delete_export_sink' },
  'cloud.namespace.exportsink.get': { on: onNamespace, gives: 'namespace.read_export_sink' },
  'cloud.namespace.exportsink.list': { on: onNamespace, gives: 'namespace.list_export_sinks' },
  'cloud.namespace.exportsink.update': { on: onNamespace, gives: 'namespace.update_export_sink' },
  'cloud.namespace.exportsink.validate': { on: onNamespace, gives: 'namespace.validate_export_sink' },
  'cloud.namespace.failoverRegion': { on: onNamespace, gives: 'namespace.fail_over' },
  'cloud.namespace.get': { on: onNamespace, gives: 'namespace.read' },
  'cloud.namespace.getServiceAccountNamespaceAssignments': {
    on: onNamespace,
    gives: 'namespace.read_service_account_assignments',
  },
  'cloud.namespace.getUserGroupNamespaceAssignments': {
    on: onNamespace,
    gives: 'namespace.read_user_group_assignments',
  },
  'cloud.namespace.getUserNamespaceAssignments': { on: onNamespace, gives: 'namespace.read_user_assignments' },
  'cloud.namespace.renameCustomSearchAttribute': { on: onNamespace, gives: 'namespace.rename_search_attribute' },
  'cloud.namespace.setUserAccess': { on: onNamespace, gives: 'namespace.grant_user_access' },
  'cloud.namespace.setUserGroupAccess': { on: onNamespace, gives: 'namespace.grant_user_group_access' },
  'cloud.namespace.update': { on: onNamespace, gives: 'namespace.update' },
  'cloud.namespace.updateTags': { on: onNamespace, gives: 'namespace.update_tags' },

  'cloud.nexusendpoint.delete': { on: onNexusEndpoint, gives: 'nexus_endpoint.delete' },
  'cloud.nexusendpoint.get': { on: onNexusEndpoint, gives: 'nexus_endpoint.read' },
  'cloud.nexusendpoint.update': { on: onNexusEndpoint, gives: 'nexus_endpoint.update' },

  'cloud.connectivityrule.delete': { on: onConnectivityRule, gives: 'connectivity_rule.delete' },
  'cloud.connectivityrule.get': { on: onConnectivityRule, gives: 'connectivity_rule.read' },

  'cloud.customrole.delete': { on: onCustomRole, gives: 'custom_role.delete' },
  'cloud.customrole.get': { on: onCustomRole, gives: 'custom_role.read' },
  'cloud.customrole.update': { on: onCustomRole, gives: 'custom_role.update' },
}

/** The actions that a custom role may name for resources of this type. */
export function customActionsOn(resourceType: CustomResourceType): readonly string[] {
  return Object.entries(customActions).flatMap(([name, { on }]) => (on.includes(resourceType) ? [name] : []))
}

/** The action that gives a row of the policy, if any does. */
export function customActionGiving(resource: string, action: string): NamedCustomAction | undefined {
  return byPermission.get(`${resource}.${action}`)
}

export interface NamedCustomAction extends CustomAction {
  readonly name: string
}

const byPermission: ReadonlyMap<string, NamedCustomAction> = new Map(
  Object.entries(customActions).map(([name, custom]) => [custom.gives, { name, ...custom }]),
)
