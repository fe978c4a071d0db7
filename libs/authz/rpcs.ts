import type { Permission } from './policy.ts'

/**
 * What each method of the Cloud Ops API asks for. Where there are several, the request says which one (whose key, which
 * kind of service account). A method that is not here is denied, whoever calls. Names only: this library knows nothing
 * of the contract, and a test compares both.
 */
export const rpcPermissions: Readonly<Record<string, readonly [Permission, ...Permission[]]>> = {
  GetCurrentIdentity: ['identity.read'],
  GetAccount: ['account.read'],
  UpdateAccount: ['account.update'],
  GetRegions: ['region.list'],
  GetRegion: ['region.read'],
  GetAsyncOperation: ['operation.read'],

  CreateNamespace: ['account.create_namespace'],
  GetNamespaces: ['namespace.list'],
  GetNamespace: ['namespace.read'],
  UpdateNamespace: ['namespace.update'],
  DeleteNamespace: ['namespace.delete'],
  RenameCustomSearchAttribute: ['namespace.rename_search_attribute'],
  FailoverNamespaceRegion: ['namespace.fail_over'],
  AddNamespaceRegion: ['namespace.add_region'],
  DeleteNamespaceRegion: ['namespace.delete_region'],
  UpdateNamespaceTags: ['namespace.update_tags'],
  GetNamespaceCapacityInfo: ['namespace.read_capacity'],
  GetUserNamespaceAssignments: ['namespace.read_user_assignments'],
  GetServiceAccountNamespaceAssignments: ['namespace.read_service_account_assignments'],
  SetUserNamespaceAccess: ['namespace.grant_user_access'],
  SetServiceAccountNamespaceAccess: ['namespace.grant_service_account_access'],

  GetUsers: ['user.list'],
  GetUser: ['user.read'],
  CreateUser: ['account.create_user'],
  UpdateUser: ['user.update'],
  DeleteUser: ['user.delete'],

  CreateServiceAccount: ['account.create_service_account', 'namespace.create_service_account'],
  GetServiceAccounts: ['service_account.list'],
  GetServiceAccount: ['service_account.read'],
  UpdateServiceAccount: ['service_account.update'],
  DeleteServiceAccount: ['service_account.delete'],

  CreateApiKey: ['user.create_api_key', 'service_account.create_api_key'],
  GetApiKeys: ['api_key.list'],
  GetApiKey: ['api_key.read'],
  UpdateApiKey: ['api_key.update'],
  DeleteApiKey: ['api_key.delete'],

  CreateUserGroup: ['account.create_user_group'],
  GetUserGroups: ['user_group.list'],
  GetUserGroup: ['user_group.read'],
  UpdateUserGroup: ['user_group.update'],
  DeleteUserGroup: ['user_group.delete'],
  AddUserGroupMember: ['user_group.add_member'],
  RemoveUserGroupMember: ['user_group.remove_member'],
  GetUserGroupMembers: ['user_group.read_members'],
  SetUserGroupNamespaceAccess: ['namespace.grant_user_group_access'],
  GetUserGroupNamespaceAssignments: ['namespace.read_user_group_assignments'],

  CreateCustomRole: ['account.create_custom_role'],
  GetCustomRoles: ['custom_role.list'],
  GetCustomRole: ['custom_role.read'],
  UpdateCustomRole: ['custom_role.update'],
  DeleteCustomRole: ['custom_role.delete'],

  CreateNexusEndpoint: ['account.create_nexus_endpoint'],
  GetNexusEndpoints: ['nexus_endpoint.list'],
  GetNexusEndpoint: ['nexus_endpoint.read'],
  UpdateNexusEndpoint: ['nexus_endpoint.update'],
  DeleteNexusEndpoint: ['nexus_endpoint.delete'],

  CreateConnectivityRule: ['account.create_connectivity_rule'],
  GetConnectivityRules: ['connectivity_rule.list'],
  GetConnectivityRule: ['connectivity_rule.read'],
  DeleteConnectivityRule: ['connectivity_rule.delete'],

  GetAuditLogs: ['audit_log.list'],
  CreateAccountAuditLogSink: ['account.create_audit_log_sink'],
  GetAccountAuditLogSinks: ['audit_log_sink.list'],
  GetAccountAuditLogSink: ['audit_log_sink.read'],
  UpdateAccountAuditLogSink: ['audit_log_sink.update'],
  DeleteAccountAuditLogSink: ['audit_log_sink.delete'],
  ValidateAccountAuditLogSink: ['account.validate_audit_log_sink'],

  CreateNamespaceExportSink: ['namespace.create_export_sink'],
  GetNamespaceExportSinks: ['namespace.list_export_sinks'],
  GetNamespaceExportSink: ['namespace.read_export_sink'],
  UpdateNamespaceExportSink: ['namespace.update_export_sink'],
  DeleteNamespaceExportSink: ['namespace.delete_export_sink'],
  ValidateNamespaceExportSink: ['namespace.validate_export_sink'],

  GetUsage: ['account.read_usage'],
  CreateBillingReport: ['account.create_billing_report'],
  GetBillingReport: ['account.read_billing_report'],
}

/** Asked at every call, before its handler. */
export function rpcIsInPolicy(rpc: string): boolean {
  return Object.hasOwn(rpcPermissions, rpc)
}
