import { fromJson, type RpcName, type RpcRequest, rpcNamed, rpcs, toJson } from '#libs/cloud-api'
import { createCloudHandlers } from '../../../apps/api/resources/cloud-handlers.ts'
import { until } from '../../harness/until.ts'
import type { ApiUnderTest, Headers, Principal } from './api-under-test.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes, and a wrong path fails the test.
type Json = any

const handlers = createCloudHandlers({ regions: [] } as unknown as Parameters<typeof createCloudHandlers>[0])

/** Every method that changes something and is served, by the contract: its answer has an operation. */
export const servedMutations: readonly RpcName[] = rpcs
  .filter(({ name, kind }) => kind === 'mutation' && handlers[name] !== undefined)
  .map(({ name }) => name)

/** A tenant to try mutations on: calls over gRPC, requests and answers as proto3 JSON. */
export class MutableTenant {
  readonly api: ApiUnderTest
  readonly id: string
  readonly owner: Principal
  #names = 0

  constructor(api: ApiUnderTest, id: string, owner: Principal) {
    this.api = api
    this.id = id
    this.owner = owner
  }

  /** One that was not used yet, and may be a name of everything. */
  name(): string {
    return `n${(this.#names += 1)}`
  }

  async call(rpc: RpcName, request: object, headers: Headers = {}, token = this.owner.token): Promise<Json> {
    const { requestType, responseType } = rpcNamed(rpc)
    const message = fromJson(requestType, request) as RpcRequest<typeof rpc>
    return toJson(responseType, await this.api.grpc(token, rpc, message, headers))
  }

  /** The same, and everything settled as the provisioner would, and mails gone out. */
  async done(rpc: RpcName, request: object): Promise<Json> {
    const answer = await this.call(rpc, request)
    await this.api.admin.query("update namespaces set state = 'active' where tenant_id = $1 and state <> 'deleted'", [
      this.id,
    ])
    await this.api.admin.query(
      `update operations set state = 'fulfilled', started_at = now(), finished_at = now()
       where tenant_id = $1 and state in ('pending', 'in_progress')`,
      [this.id],
    )
    const unmailed = 'select from user_invitations where mailed_at is null and accepted_at is null'
    await until('mails are out', async () => (await this.api.admin.query(unmailed)).rowCount === 0)
    return answer
  }

  async namespace(more: object = {}): Promise<string> {
    return (await this.done('CreateNamespace', { spec: namespaceSpec(this.name(), more) })).namespace
  }

  async user(): Promise<string> {
    return (
      await this.done('CreateUser', { spec: { email: `${this.name()}@example.test`, access: access('ROLE_READ') } })
    ).userId
  }

  async group(): Promise<string> {
    const spec = { displayName: `group-${this.name()}`, cloudGroup: {}, access: access('ROLE_READ') }
    return (await this.done('CreateUserGroup', { spec })).groupId
  }

  async serviceAccount(): Promise<string> {
    const spec = { name: this.name(), access: access('ROLE_READ') }
    return (await this.done('CreateServiceAccount', { spec })).serviceAccountId
  }

  async apiKey(): Promise<string> {
    return (await this.done('CreateApiKey', { spec: await this.apiKeySpec() })).keyId
  }

  async apiKeySpec(): Promise<object> {
    const expiryTime = new Date(Date.now() + 3_600_000).toISOString()
    const ownerId = await this.serviceAccount()
    return { ownerId, ownerType: 'OWNER_TYPE_SERVICE_ACCOUNT', displayName: this.name(), expiryTime }
  }

  async customRole(): Promise<string> {
    return (await this.done('CreateCustomRole', { spec: customRoleSpec(this.name()) })).roleId
  }

  async connectivityRule(): Promise<string> {
    return (await this.done('CreateConnectivityRule', { spec: privateRule(this.name()) })).connectivityRuleId
  }

  async nexusEndpoint(): Promise<string> {
    return (await this.done('CreateNexusEndpoint', { spec: await this.nexusSpec() })).endpointId
  }

  async nexusSpec(): Promise<object> {
    const namespaceId = await this.namespace()
    return {
      name: `endpoint-${this.name()}`,
      targetSpec: { workerTargetSpec: { namespaceId, taskQueue: 'q' } },
      policySpecs: [{ allowedCloudNamespacePolicySpec: { namespaceId } }],
    }
  }

  /** Spec and version of a thing as it is read. */
  async read(rpc: RpcName, request: object, field: string): Promise<Json> {
    return (await this.call(rpc, request))[field]
  }
}

const namespaceSpec = (name: string, more: object = {}) => ({
  name,
  regions: ['aws-us-east-1'],
  retentionDays: 1,
  apiKeyAuth: { enabled: true },
  ...more,
})
const access = (role: string) => ({ accountAccess: { role } })
const customRoleSpec = (name: string) => ({
  name,
  permissions: [{ resources: { resourceType: 'namespaces', allowAll: true }, actions: ['cloud.namespace.get'] }],
})
const privateRule = (connectionId: string) => ({ privateRule: { connectionId, region: 'aws-us-east-1' } })
const write = { permission: 'PERMISSION_WRITE' }

/**
 * A request of each mutation that is in order, made anew at each call, with what it needs already there. Whoever adds a
 * mutation adds its row: what dry runs and repeats must do is then tested of it, too.
 */
export const validMutations: Readonly<Partial<Record<RpcName, (tenant: MutableTenant) => Promise<object>>>> = {
  CreateNamespace: async (t) => ({ spec: namespaceSpec(t.name()), tags: { team: 'a' } }),
  UpdateNamespace: async (t) => {
    const namespace = await t.namespace()
    const { spec, resourceVersion } = await t.read('GetNamespace', { namespace }, 'namespace')
    return { namespace, spec: { ...spec, retentionDays: 9 }, resourceVersion }
  },
  DeleteNamespace: async (t) => {
    const namespace = await t.namespace()
    return { namespace, resourceVersion: (await t.read('GetNamespace', { namespace }, 'namespace')).resourceVersion }
  },
  RenameCustomSearchAttribute: async (t) => {
    const namespace = await t.namespace({ searchAttributes: { Before: 'SEARCH_ATTRIBUTE_TYPE_KEYWORD' } })
    const { resourceVersion } = await t.read('GetNamespace', { namespace }, 'namespace')
    const names = { existingCustomSearchAttributeName: 'Before', newCustomSearchAttributeName: 'After' }
    return { namespace, ...names, resourceVersion }
  },
  UpdateNamespaceTags: async (t) => ({ namespace: await t.namespace(), tagsToUpsert: { team: t.name() } }),
  CreateUser: async (t) => ({ spec: { email: `${t.name()}@example.test`, access: access('ROLE_READ') } }),
  UpdateUser: async (t) => {
    const userId = await t.user()
    const { spec, resourceVersion } = await t.read('GetUser', { userId }, 'user')
    return { userId, spec: { ...spec, access: access('ROLE_DEVELOPER') }, resourceVersion }
  },
  DeleteUser: async (t) => {
    const userId = await t.user()
    return { userId, resourceVersion: (await t.read('GetUser', { userId }, 'user')).resourceVersion }
  },
  SetUserNamespaceAccess: async (t) => {
    const [namespace, userId] = [await t.namespace(), await t.user()]
    const { resourceVersion } = await t.read('GetUser', { userId }, 'user')
    return { namespace, userId, access: write, resourceVersion }
  },
  CreateUserGroup: async (t) => ({
    spec: { displayName: `group-${t.name()}`, cloudGroup: {}, access: access('ROLE_READ') },
  }),
  UpdateUserGroup: async (t) => {
    const groupId = await t.group()
    const { spec, resourceVersion } = await t.read('GetUserGroup', { groupId }, 'group')
    return { groupId, spec: { ...spec, displayName: `group-${t.name()}` }, resourceVersion }
  },
  DeleteUserGroup: async (t) => {
    const groupId = await t.group()
    return { groupId, resourceVersion: (await t.read('GetUserGroup', { groupId }, 'group')).resourceVersion }
  },
  SetUserGroupNamespaceAccess: async (t) => {
    const [namespace, groupId] = [await t.namespace(), await t.group()]
    const { resourceVersion } = await t.read('GetUserGroup', { groupId }, 'group')
    return { namespace, groupId, access: write, resourceVersion }
  },
  AddUserGroupMember: async (t) => ({ groupId: await t.group(), memberId: { userId: await t.user() } }),
  RemoveUserGroupMember: async (t) => {
    const member = { groupId: await t.group(), memberId: { userId: await t.user() } }
    await t.done('AddUserGroupMember', member)
    return member
  },
  CreateServiceAccount: async (t) => ({ spec: { name: t.name(), access: access('ROLE_READ') } }),
  UpdateServiceAccount: async (t) => {
    const serviceAccountId = await t.serviceAccount()
    const { spec, resourceVersion } = await t.read('GetServiceAccount', { serviceAccountId }, 'serviceAccount')
    return { serviceAccountId, spec: { ...spec, description: 'new' }, resourceVersion }
  },
  SetServiceAccountNamespaceAccess: async (t) => {
    const [namespace, serviceAccountId] = [await t.namespace(), await t.serviceAccount()]
    const { resourceVersion } = await t.read('GetServiceAccount', { serviceAccountId }, 'serviceAccount')
    return { namespace, serviceAccountId, access: write, resourceVersion }
  },
  DeleteServiceAccount: async (t) => {
    const serviceAccountId = await t.serviceAccount()
    const { resourceVersion } = await t.read('GetServiceAccount', { serviceAccountId }, 'serviceAccount')
    return { serviceAccountId, resourceVersion }
  },
  CreateApiKey: async (t) => ({ spec: await t.apiKeySpec() }),
  UpdateApiKey: async (t) => {
    const keyId = await t.apiKey()
    const { spec, resourceVersion } = await t.read('GetApiKey', { keyId }, 'apiKey')
    return { keyId, spec: { ...spec, disabled: true }, resourceVersion }
  },
  DeleteApiKey: async (t) => {
    const keyId = await t.apiKey()
    return { keyId, resourceVersion: (await t.read('GetApiKey', { keyId }, 'apiKey')).resourceVersion }
  },
  CreateCustomRole: async (t) => ({ spec: customRoleSpec(t.name()) }),
  UpdateCustomRole: async (t) => {
    const roleId = await t.customRole()
    const { spec, resourceVersion } = await t.read('GetCustomRole', { roleId }, 'customRole')
    return { roleId, spec: { ...spec, description: 'new' }, resourceVersion }
  },
  DeleteCustomRole: async (t) => {
    const roleId = await t.customRole()
    return { roleId, resourceVersion: (await t.read('GetCustomRole', { roleId }, 'customRole')).resourceVersion }
  },
  CreateConnectivityRule: async (t) => ({ spec: privateRule(t.name()) }),
  DeleteConnectivityRule: async (t) => {
    const connectivityRuleId = await t.connectivityRule()
    const rule = await t.read('GetConnectivityRule', { connectivityRuleId }, 'connectivityRule')
    return { connectivityRuleId, resourceVersion: rule.resourceVersion }
  },
  CreateNexusEndpoint: async (t) => ({ spec: await t.nexusSpec() }),
  UpdateNexusEndpoint: async (t) => {
    const endpointId = await t.nexusEndpoint()
    const { spec, resourceVersion } = await t.read('GetNexusEndpoint', { endpointId }, 'endpoint')
    return { endpointId, spec: { ...spec, name: `endpoint-${t.name()}` }, resourceVersion }
  },
  DeleteNexusEndpoint: async (t) => {
    const endpointId = await t.nexusEndpoint()
    return {
      endpointId,
      resourceVersion: (await t.read('GetNexusEndpoint', { endpointId }, 'endpoint')).resourceVersion,
    }
  },
  UpdateAccount: async (t) => {
    const { resourceVersion, spec } = await t.read('GetAccount', {}, 'account')
    const present = spec?.metrics?.acceptedClientCa
    const acceptedClientCa = Buffer.from(t.api.ca).toString('base64')
    // It has one of these or none: the other one is a change.
    return { spec: present === acceptedClientCa ? {} : { metrics: { acceptedClientCa } }, resourceVersion }
  },
}
