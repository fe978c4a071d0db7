import type { CloudRequest } from '../both-transports.ts'
import { namespaceSpec } from '../namespace.ts'
import { accessOf } from '../tenant.ts'

/** Every id that one tenant has. */
export interface Ids {
  readonly namespace: string
  readonly userId: string
  readonly serviceAccountId: string
  readonly keyId: string
  readonly operationId: string
  readonly groupId: string
  readonly roleId: string
  readonly ruleId: string
  readonly endpointId: string
}

/** Requests with a place for an id of somebody else. @param own what requests may name beside it. */
type Requests = (id: Ids, own: Ids) => readonly (readonly [id: string, request: CloudRequest])[]

const version = { resourceVersion: '1' }
const read = { access: { permission: 'PERMISSION_READ' } }
const role = { accountAccess: { role: 'ROLE_READ' } }
const withRole = (roleId: string) => ({ accountAccess: { role: 'ROLE_READ', customRoles: [roleId] } })
const soon = () => new Date(Date.now() + 3_600_000)

function keySpec(ownerId: string, ownerType: string): object {
  return { ownerId, ownerType, displayName: 'mine now', expiryTime: soon() }
}

/** `CustomRoleSpec` of the contract: to read one namespace. */
export function roleSpec(name: string, namespace: string): object {
  const resources = { resourceType: 'namespaces', resourceIds: [namespace] }
  return { name, permissions: [{ resources, actions: ['cloud.namespace.get'] }] }
}

/** `EndpointSpec` of the contract. */
export function endpointSpec(name: string, target: string, caller: string): object {
  return {
    name,
    targetSpec: { workerTargetSpec: { namespaceId: target, taskQueue: 'payments' } },
    policySpecs: [{ allowedCloudNamespacePolicySpec: { namespaceId: caller } }],
  }
}

/** For each method that takes an id: requests with a place for it. */
export const requestsWithIds: Readonly<Record<string, Requests>> = {
  GetNamespace: ({ namespace }) => [[namespace, { namespace }]],
  GetNamespaces: ({ namespace }) => [[namespace, { name: namespace }]],
  UpdateNamespace: ({ namespace, ruleId }, own) => [
    [namespace, { namespace, spec: namespaceSpec({ name: 'crown-jewels' }), ...version }],
    [namespace, { namespace, spec: {}, ...version }],
    [
      ruleId,
      {
        namespace: own.namespace,
        spec: namespaceSpec({ name: 'pebbles', spec: { connectivityRuleIds: [ruleId] } }),
        ...version,
      },
    ],
    [namespace, { namespace, ...version }],
  ],
  DeleteNamespace: ({ namespace }) => [[namespace, { namespace, ...version }]],
  RenameCustomSearchAttribute: ({ namespace }) => [
    [
      namespace,
      {
        namespace,
        existingCustomSearchAttributeName: 'Customer',
        newCustomSearchAttributeName: 'Victim',
        ...version,
      },
    ],
    [namespace, { namespace, ...version }],
  ],
  UpdateNamespaceTags: ({ namespace }) => [
    [namespace, { namespace, tagsToUpsert: { owner: 'curious' } }],
    [namespace, { namespace, tagsToRemove: ['team'] }],
    [namespace, { namespace }],
  ],
  GetNamespaceCapacityInfo: ({ namespace }) => [[namespace, { namespace }]],
  GetAsyncOperation: ({ operationId }) => [[operationId, { asyncOperationId: operationId }]],
  GetApiKey: ({ keyId }) => [[keyId, { keyId }]],
  GetApiKeys: ({ userId, serviceAccountId }) => [
    [userId, { ownerId: userId }],
    [serviceAccountId, { ownerId: serviceAccountId, ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT' }],
  ],
  CreateApiKey: ({ userId, serviceAccountId }) => [
    [userId, { spec: keySpec(userId, 'OWNER_TYPE_USER') }],
    [serviceAccountId, { spec: keySpec(serviceAccountId, 'OWNER_TYPE_SERVICE_ACCOUNT') }],
  ],
  UpdateApiKey: ({ keyId }, own) => [
    [keyId, { keyId, spec: { displayName: 'mine now', disabled: true }, ...version }],
    [keyId, { keyId, spec: keySpec(own.userId, 'OWNER_TYPE_USER'), ...version }],
  ],
  DeleteApiKey: ({ keyId }) => [[keyId, { keyId, ...version }]],
  GetServiceAccount: ({ serviceAccountId }) => [[serviceAccountId, { serviceAccountId }]],
  UpdateServiceAccount: ({ serviceAccountId, namespace }, own) => [
    [serviceAccountId, { serviceAccountId, spec: { name: 'mine', access: role }, ...version }],
    [
      namespace,
      {
        serviceAccountId: own.serviceAccountId,
        spec: { name: 'robot', access: accessOf({ [namespace]: 'ADMIN' }) },
        ...version,
      },
    ],
  ],
  DeleteServiceAccount: ({ serviceAccountId }) => [[serviceAccountId, { serviceAccountId, ...version }]],
  GetUser: ({ userId }) => [[userId, { userId }]],
  GetUsers: ({ namespace }) => [[namespace, { namespace }]],
  CreateUser: ({ namespace, roleId }) => [
    [namespace, { spec: { email: 'spy@example.com', access: accessOf({ [namespace]: 'READ' }) } }],
    [roleId, { spec: { email: 'spy@example.com', access: withRole(roleId) } }],
  ],
  UpdateUser: ({ userId }) => [[userId, { userId, spec: { email: 'spy@example.com', access: role }, ...version }]],
  DeleteUser: ({ userId }) => [[userId, { userId, ...version }]],
  SetUserNamespaceAccess: ({ namespace, userId }, own) => [
    [userId, { namespace: own.namespace, userId, ...read, ...version }],
    [namespace, { namespace, userId: own.userId, ...read, ...version }],
    [namespace, { namespace, userId: own.userId, ...version }],
  ],
  SetServiceAccountNamespaceAccess: ({ namespace, serviceAccountId }, own) => [
    [serviceAccountId, { namespace: own.namespace, serviceAccountId, ...read, ...version }],
    [namespace, { namespace, serviceAccountId: own.serviceAccountId, ...read, ...version }],
  ],
  SetUserGroupNamespaceAccess: ({ namespace, groupId }, own) => [
    [groupId, { namespace: own.namespace, groupId, ...read, ...version }],
    [namespace, { namespace, groupId: own.groupId, ...read, ...version }],
  ],
  GetUserNamespaceAssignments: ({ namespace }) => [[namespace, { namespace }]],
  GetServiceAccountNamespaceAssignments: ({ namespace }) => [[namespace, { namespace }]],
  GetUserGroupNamespaceAssignments: ({ namespace }) => [[namespace, { namespace }]],
  GetUserGroup: ({ groupId }) => [[groupId, { groupId }]],
  GetUserGroups: ({ namespace }) => [[namespace, { namespace }]],
  CreateUserGroup: ({ namespace }) => [
    [namespace, { spec: { displayName: 'spies', cloudGroup: {}, access: accessOf({ [namespace]: 'READ' }) } }],
  ],
  UpdateUserGroup: ({ namespace, groupId }, own) => [
    [groupId, { groupId, spec: { displayName: 'spies', cloudGroup: {} }, ...version }],
    [
      namespace,
      {
        groupId: own.groupId,
        spec: { displayName: 'friends', cloudGroup: {}, access: accessOf({ [namespace]: 'READ' }) },
        ...version,
      },
    ],
  ],
  DeleteUserGroup: ({ groupId }) => [[groupId, { groupId, ...version }]],
  GetUserGroupMembers: ({ groupId }) => [[groupId, { groupId }]],
  AddUserGroupMember: ({ groupId, userId }, own) => [
    [groupId, { groupId, memberId: { userId: own.userId } }],
    [userId, { groupId: own.groupId, memberId: { userId } }],
  ],
  RemoveUserGroupMember: ({ groupId, userId }, own) => [
    [groupId, { groupId, memberId: { userId: own.userId } }],
    [userId, { groupId: own.groupId, memberId: { userId } }],
  ],
  CreateServiceAccount: ({ namespace }) => [
    [namespace, { spec: { name: 'spy', access: accessOf({ [namespace]: 'READ' }) } }],
    [
      namespace,
      { spec: { name: 'spy', namespaceScopedAccess: { namespace, access: { permission: 'PERMISSION_READ' } } } },
    ],
  ],
  CreateNamespace: ({ ruleId }) => [
    [ruleId, { spec: namespaceSpec({ name: 'bridge', spec: { connectivityRuleIds: [ruleId] } }) }],
  ],
  GetCustomRole: ({ roleId }) => [[roleId, { roleId }]],
  CreateCustomRole: ({ namespace }) => [[namespace, { spec: roleSpec('spies', namespace) }]],
  UpdateCustomRole: ({ roleId, namespace }, own) => [
    [roleId, { roleId, spec: roleSpec('spies', own.namespace), ...version }],
    [namespace, { roleId: own.roleId, spec: roleSpec('readers', namespace), ...version }],
  ],
  DeleteCustomRole: ({ roleId }) => [[roleId, { roleId, ...version }]],
  GetConnectivityRule: ({ ruleId }) => [[ruleId, { connectivityRuleId: ruleId }]],
  GetConnectivityRules: ({ namespace }) => [[namespace, { namespace }]],
  DeleteConnectivityRule: ({ ruleId }) => [[ruleId, { connectivityRuleId: ruleId, ...version }]],
  GetNexusEndpoint: ({ endpointId }) => [[endpointId, { endpointId }]],
  GetNexusEndpoints: ({ namespace }) => [[namespace, { targetNamespaceId: namespace }]],
  CreateNexusEndpoint: ({ namespace }, own) => [
    [namespace, { spec: endpointSpec('spies', namespace, own.namespace) }],
    [namespace, { spec: endpointSpec('spies', own.namespace, namespace) }],
  ],
  UpdateNexusEndpoint: ({ endpointId, namespace }, own) => [
    [endpointId, { endpointId, spec: endpointSpec('spies', own.namespace, own.namespace), ...version }],
    [namespace, { endpointId: own.endpointId, spec: endpointSpec('payments', namespace, own.namespace), ...version }],
    [namespace, { endpointId: own.endpointId, spec: endpointSpec('payments', own.namespace, namespace), ...version }],
  ],
  DeleteNexusEndpoint: ({ endpointId }) => [[endpointId, { endpointId, ...version }]],
}

/** They answer, with nothing in it. */
export const lists = ['GetNamespaces', 'GetApiKeys', 'GetUsers', 'GetUserGroups', 'GetNexusEndpoints']

/** Methods of this product that take no id of a tenant. */
export const withoutIds = [
  'GetCurrentIdentity',
  'GetAccount',
  'UpdateAccount',
  'GetRegions',
  'GetRegion',
  'GetServiceAccounts',
  'GetCustomRoles',
  'CreateConnectivityRule',
  'GetAuditLogs',
]
