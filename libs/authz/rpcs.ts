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
  RenameCustomSearchAttribute: ['namespace.update'],
  FailoverNamespaceRegion: ['namespace.update'],
  AddNamespaceRegion: ['namespace.update'],
  DeleteNamespaceRegion: ['namespace.update'],
  UpdateNamespaceTags: ['namespace.update_tags'],
  GetNamespaceCapacityInfo: ['namespace.read'],
  GetUserNamespaceAssignments: ['namespace.read'],
  GetServiceAccountNamespaceAssignments: ['namespace.read'],
  SetUserNamespaceAccess: ['namespace.grant_access'],
  SetServiceAccountNamespaceAccess: ['namespace.grant_access'],

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
  AddUserGroupMember: ['user_group.update'],
  RemoveUserGroupMember: ['user_group.update'],
  GetUserGroupMembers: ['user_group.read'],
  SetUserGroupNamespaceAccess: ['namespace.grant_access'],
  GetUserGroupNamespaceAssignments: ['namespace.read'],

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
  CreateAccountAuditLogSink: ['account.update'],
  GetAccountAuditLogSinks: ['audit_log.list'],
  GetAccountAuditLogSink: ['audit_log.list'],
  UpdateAccountAuditLogSink: ['account.update'],
  DeleteAccountAuditLogSink: ['account.update'],
  ValidateAccountAuditLogSink: ['account.update'],

  CreateNamespaceExportSink: ['namespace.update'],
  GetNamespaceExportSinks: ['namespace.read'],
  GetNamespaceExportSink: ['namespace.read'],
  UpdateNamespaceExportSink: ['namespace.update'],
  DeleteNamespaceExportSink: ['namespace.update'],
  ValidateNamespaceExportSink: ['namespace.update'],

  GetUsage: ['account.read_usage'],
  CreateBillingReport: ['account.read_usage'],
  GetBillingReport: ['account.read_usage'],
}

/** Asked at every call, before its handler. */
export function rpcIsInPolicy(rpc: string): boolean {
  return Object.hasOwn(rpcPermissions, rpc)
}
