import { status } from '@grpc/grpc-js'
import type { RpcName } from '#libs/cloud-api'
import {
  accountName,
  again,
  assigned,
  at,
  change,
  create,
  endpointName,
  fields,
  granted,
  groupName,
  held,
  list,
  missing,
  none,
  nothingTaken,
  nouns,
  one,
  type Row,
  read,
  remove,
  roleName,
  set,
  several,
  taking,
  unchanged,
  unversioned,
  valid,
  wrong,
} from './case-rows.ts'

/** Every method that is served. Whoever serves another one adds its row; cases.test.ts insists. */
export const caseTable: Readonly<Partial<Record<RpcName, Row>>> = {
  GetCurrentIdentity: read(async () => ({}), 'it takes no id'),
  GetAccount: read(async () => ({}), 'it takes no id'),
  UpdateAccount: {
    ...change('UpdateAccount', {
      ids: 'the account is the caller’s, and no id says so',
      noOp: async (t) => {
        const { spec, resourceVersion } = await t.read('GetAccount', {}, 'account')
        return { spec: spec ?? {}, resourceVersion }
      },
    }),
    // The same change each time: from no CA to one.
    right: async (t) => {
      const request = (await valid('UpdateAccount')(t)) as { readonly spec: { readonly metrics?: object } }
      if (request.spec.metrics !== undefined) return request
      await t.done('UpdateAccount', request)
      return valid('UpdateAccount')(t)
    },
  },
  GetRegions: read(async () => ({}), 'regions are the same for everybody'),
  GetRegion: read(async () => ({ region: 'aws-us-east-1' }), {
    region: { of: async () => 'aws-moon-west-1', request: async (_, region) => ({ region }), code: missing },
  }),
  GetAsyncOperation: read(
    one('operation', 'asyncOperationId'),
    fields(async () => ({}), { asyncOperationId: 'operation' }),
  ),
  GetAuditLogs: list(async (t) => {
    await t.api.audit.flush()
    const startTimeInclusive = new Date().toISOString()
    return several((each) => each.group(), { startTimeInclusive })(t)
  }, 'it takes no id'),

  GetUsers: list(
    several((t) => t.user()),
    fields(async () => ({}), { namespace: 'namespace' }, status.OK),
  ),
  GetUser: read(
    one('user', 'userId'),
    fields(async () => ({}), { userId: 'user' }),
  ),
  CreateUser: create('CreateUser', granted('CreateUser'), async (t) => {
    const { spec } = await t.read('GetUser', { userId: await t.user() }, 'user')
    return { spec }
  }),
  UpdateUser: change('UpdateUser', {
    ids: { ...(fields(valid('UpdateUser'), { userId: 'user' }) as object), ...granted('UpdateUser') },
    noOp: unchanged('user', 'userId', 'GetUser', 'user'),
  }),
  DeleteUser: remove('DeleteUser', 'userId', 'user'),
  SetUserNamespaceAccess: change('SetUserNamespaceAccess', {
    ids: fields(valid('SetUserNamespaceAccess'), { namespace: 'namespace', userId: 'user' }),
    noOp: set('SetUserNamespaceAccess', 'userId', 'GetUser', 'user'),
  }),
  GetUserNamespaceAssignments: list(
    assigned('SetUserNamespaceAccess'),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),

  GetUserGroups: list(
    several((t) => t.group()),
    fields(async () => ({}), { namespace: 'namespace' }, status.OK),
  ),
  GetUserGroup: read(
    one('group', 'groupId'),
    fields(async () => ({}), { groupId: 'group' }),
  ),
  CreateUserGroup: create(
    'CreateUserGroup',
    granted('CreateUserGroup'),
    taking('CreateUserGroup', 'spec.displayName', groupName),
  ),
  UpdateUserGroup: change('UpdateUserGroup', {
    ids: { ...(fields(valid('UpdateUserGroup'), { groupId: 'group' }) as object), ...granted('UpdateUserGroup') },
    noOp: unchanged('group', 'groupId', 'GetUserGroup', 'group'),
    taken: taking('UpdateUserGroup', 'spec.displayName', groupName),
  }),
  DeleteUserGroup: remove('DeleteUserGroup', 'groupId', 'group'),
  SetUserGroupNamespaceAccess: change('SetUserGroupNamespaceAccess', {
    ids: fields(valid('SetUserGroupNamespaceAccess'), { namespace: 'namespace', groupId: 'group' }),
    noOp: set('SetUserGroupNamespaceAccess', 'groupId', 'GetUserGroup', 'group'),
  }),
  GetUserGroupNamespaceAssignments: list(
    assigned('SetUserGroupNamespaceAccess'),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),
  AddUserGroupMember: unversioned('AddUserGroupMember', {
    ids: fields(valid('AddUserGroupMember'), { groupId: 'group', 'memberId.userId': 'user' }),
    conflicting: { member: { request: again('AddUserGroupMember'), code: status.ALREADY_EXISTS } },
    noOp: 'who is a member already is a conflict',
  }),
  RemoveUserGroupMember: unversioned('RemoveUserGroupMember', {
    ids: fields(valid('RemoveUserGroupMember'), { groupId: 'group', 'memberId.userId': 'user' }),
    conflicting: { 'no member': { request: again('RemoveUserGroupMember'), code: missing } },
    noOp: none.deletes,
  }),
  GetUserGroupMembers: list(
    async (t) => {
      const groupId = await t.group()
      for (const _ of [1, 2]) await t.done('AddUserGroupMember', { groupId, memberId: { userId: await t.user() } })
      return { groupId }
    },
    fields(async () => ({}), { groupId: 'group' }),
  ),

  GetServiceAccounts: list(
    several((t) => t.serviceAccount()),
    'it takes no id',
  ),
  GetServiceAccount: read(
    one('serviceAccount', 'serviceAccountId'),
    fields(async () => ({}), { serviceAccountId: 'serviceAccount' }),
  ),
  CreateServiceAccount: create(
    'CreateServiceAccount',
    {
      ...granted('CreateServiceAccount'),
      'the namespace that it is for': {
        of: nouns.namespace,
        request: async (t, namespace) => ({
          spec: { name: t.name(), namespaceScopedAccess: { namespace, access: { permission: 'PERMISSION_READ' } } },
        }),
        code: missing,
      },
    },
    taking('CreateServiceAccount', 'spec.name', accountName),
  ),
  UpdateServiceAccount: change('UpdateServiceAccount', {
    ids: {
      ...(fields(valid('UpdateServiceAccount'), { serviceAccountId: 'serviceAccount' }) as object),
      ...granted('UpdateServiceAccount'),
    },
    noOp: unchanged('serviceAccount', 'serviceAccountId', 'GetServiceAccount', 'serviceAccount'),
    taken: taking('UpdateServiceAccount', 'spec.name', accountName),
  }),
  DeleteServiceAccount: remove('DeleteServiceAccount', 'serviceAccountId', 'serviceAccount'),
  SetServiceAccountNamespaceAccess: change('SetServiceAccountNamespaceAccess', {
    ids: fields(valid('SetServiceAccountNamespaceAccess'), {
      namespace: 'namespace',
      serviceAccountId: 'serviceAccount',
    }),
    noOp: set('SetServiceAccountNamespaceAccess', 'serviceAccountId', 'GetServiceAccount', 'serviceAccount'),
  }),
  GetServiceAccountNamespaceAssignments: list(
    assigned('SetServiceAccountNamespaceAccess'),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),

  GetApiKeys: list(
    several((t) => t.apiKey()),
    fields(async () => ({}), { ownerId: 'serviceAccount' }, status.OK),
  ),
  GetApiKey: read(
    one('apiKey', 'keyId'),
    fields(async () => ({}), { keyId: 'apiKey' }),
  ),
  CreateApiKey: create(
    'CreateApiKey',
    fields(valid('CreateApiKey'), { 'spec.ownerId': 'serviceAccount' }),
    nothingTaken,
  ),
  UpdateApiKey: change('UpdateApiKey', {
    ids: fields(valid('UpdateApiKey'), { keyId: 'apiKey' }),
    noOp: unchanged('apiKey', 'keyId', 'GetApiKey', 'apiKey'),
  }),
  DeleteApiKey: remove('DeleteApiKey', 'keyId', 'apiKey'),

  GetCustomRoles: list(
    several((t) => t.customRole()),
    'it takes no id',
  ),
  GetCustomRole: read(
    one('customRole', 'roleId'),
    fields(async () => ({}), { roleId: 'customRole' }),
  ),
  CreateCustomRole: create(
    'CreateCustomRole',
    'a role may name ids that are not there yet',
    taking('CreateCustomRole', 'spec.name', roleName),
  ),
  UpdateCustomRole: change('UpdateCustomRole', {
    ids: fields(valid('UpdateCustomRole'), { roleId: 'customRole' }),
    noOp: unchanged('customRole', 'roleId', 'GetCustomRole', 'customRole'),
    taken: taking('UpdateCustomRole', 'spec.name', roleName),
  }),
  DeleteCustomRole: remove('DeleteCustomRole', 'roleId', 'customRole'),

  GetNamespaces: list(
    several((t) => t.namespace()),
    'its filter is a name, not an id',
  ),
  GetNamespace: read(
    one('namespace', 'namespace'),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),
  CreateNamespace: create(
    'CreateNamespace',
    {
      'a connectivity rule': held(
        valid('CreateNamespace'),
        'spec.connectivityRuleIds',
        'connectivityRule',
        (id) => [id],
        wrong,
      ),
    },
    taking('CreateNamespace', 'spec.name', async (t) => (await t.namespace()).split('.')[0] ?? ''),
  ),
  UpdateNamespace: change('UpdateNamespace', {
    ids: {
      ...(fields(valid('UpdateNamespace'), { namespace: 'namespace' }) as object),
      'a connectivity rule': held(
        valid('UpdateNamespace'),
        'spec.connectivityRuleIds',
        'connectivityRule',
        (id) => [id],
        wrong,
      ),
    },
    noOp: unchanged('namespace', 'namespace', 'GetNamespace', 'namespace'),
  }),
  DeleteNamespace: remove('DeleteNamespace', 'namespace', 'namespace'),
  RenameCustomSearchAttribute: change('RenameCustomSearchAttribute', {
    ids: fields(valid('RenameCustomSearchAttribute'), { namespace: 'namespace' }),
    noOp: async (t) => at(await valid('RenameCustomSearchAttribute')(t), ['newCustomSearchAttributeName'], 'Before'),
  }),
  UpdateNamespaceTags: unversioned('UpdateNamespaceTags', {
    ids: fields(valid('UpdateNamespaceTags'), { namespace: 'namespace' }),
    conflicting: 'it takes no version, and a tag that is there is written over',
    noOp: again('UpdateNamespaceTags'),
  }),
  GetNamespaceCapacityInfo: read(
    one('namespace', 'namespace'),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),

  GetConnectivityRules: list(
    several((t) => t.connectivityRule()),
    fields(async () => ({}), { namespace: 'namespace' }),
  ),
  GetConnectivityRule: read(
    one('connectivityRule', 'connectivityRuleId'),
    fields(async () => ({}), { connectivityRuleId: 'connectivityRule' }),
  ),
  CreateConnectivityRule: create('CreateConnectivityRule', 'it names nothing of the account', async (t) => {
    const connectivityRuleId = await t.connectivityRule()
    return { spec: (await t.read('GetConnectivityRule', { connectivityRuleId }, 'connectivityRule')).spec }
  }),
  DeleteConnectivityRule: remove('DeleteConnectivityRule', 'connectivityRuleId', 'connectivityRule'),

  GetNexusEndpoints: list(
    several((t) => t.nexusEndpoint()),
    fields(async () => ({}), { targetNamespaceId: 'namespace' }, status.OK),
  ),
  GetNexusEndpoint: read(
    one('nexusEndpoint', 'endpointId'),
    fields(async () => ({}), { endpointId: 'nexusEndpoint' }),
  ),
  CreateNexusEndpoint: create(
    'CreateNexusEndpoint',
    {
      ...(fields(valid('CreateNexusEndpoint'), {
        'spec.targetSpec.workerTargetSpec.namespaceId': 'namespace',
      }) as object),
      'a caller': held(valid('CreateNexusEndpoint'), 'spec.policySpecs', 'namespace', (namespaceId) => [
        { allowedCloudNamespacePolicySpec: { namespaceId } },
      ]),
    },
    taking('CreateNexusEndpoint', 'spec.name', endpointName),
  ),
  UpdateNexusEndpoint: change('UpdateNexusEndpoint', {
    ids: {
      ...(fields(valid('UpdateNexusEndpoint'), {
        endpointId: 'nexusEndpoint',
        'spec.targetSpec.workerTargetSpec.namespaceId': 'namespace',
      }) as object),
      'a caller': held(valid('UpdateNexusEndpoint'), 'spec.policySpecs', 'namespace', (namespaceId) => [
        { allowedCloudNamespacePolicySpec: { namespaceId } },
      ]),
    },
    noOp: unchanged('nexusEndpoint', 'endpointId', 'GetNexusEndpoint', 'endpoint'),
    taken: taking('UpdateNexusEndpoint', 'spec.name', endpointName),
  }),
  DeleteNexusEndpoint: remove('DeleteNexusEndpoint', 'endpointId', 'nexusEndpoint'),
}
