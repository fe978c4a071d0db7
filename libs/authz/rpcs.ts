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
}

/** Asked at every call, before its handler. */
export function rpcIsInPolicy(rpc: string): boolean {
  return Object.hasOwn(rpcPermissions, rpc)
}
