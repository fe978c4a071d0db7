import { expect } from 'vitest'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

/** Of the REST interface. */
export const endpointsPath = '/cloud/nexus/endpoints'

/** An endpoint of the tenant `aaaaa`, with one caller. */
export function specOf(name: string, change: object = {}) {
  return { name, ...to('target.aaaaa'), ...allowing('caller.aaaaa'), ...change }
}

export function to(namespaceId: string, taskQueue = 'payments') {
  return { targetSpec: { workerTargetSpec: { namespaceId, taskQueue } } }
}

export function allowing(...ids: string[]) {
  return { policySpecs: ids.map((namespaceId) => ({ allowedCloudNamespacePolicySpec: { namespaceId } })) }
}

/** The API with the tenants `aaaaa` and `bbbbb`, each with namespaces called target, other, caller and second. */
export class NexusFixture {
  readonly api: ApiUnderTest
  /** Of `aaaaa`. */
  readonly owner: Principal
  /** Owns `bbbbb`. */
  readonly stranger: Principal

  private constructor(api: ApiUnderTest, owner: Principal, stranger: Principal) {
    this.api = api
    this.owner = owner
    this.stranger = stranger
  }

  static async start(): Promise<NexusFixture> {
    const api = await startApi()
    const fixture = new NexusFixture(api, await api.newTenant('aaaaa'), await api.newTenant('bbbbb'))
    for (const tenant of ['aaaaa', 'bbbbb']) {
      // None of this is about how much may be under way at once.
      await api.admin.query('update tenants set limits = $2 where id = $1', [tenant, { operationsInFlight: 1_000_000 }])
      for (const name of ['target', 'other', 'caller', 'second']) await fixture.newNamespace(tenant, name)
    }
    return fixture
  }

  close(): Promise<void> {
    return this.api.close()
  }

  async newNamespace(tenant: string, name: string): Promise<string> {
    const id = `${name}.${tenant}`
    const spec = {
      name,
      regions: ['aws-us-east-1'],
      retentionDays: 1,
      mtlsAuth: { enabled: false, acceptedClientCa: '', certificateFilters: [] },
      apiKeyAuth: { enabled: true },
      deletionProtected: false,
    }
    await this.api.admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, state, created_by)
       values ($1, $2, $3, 'aws-us-east-1', $4, 'active', 'usr-1')`,
      [id, tenant, name, spec],
    )
    return id
  }

  create(spec: object, token = this.owner.token, more: object = {}) {
    return this.api.rest(token, 'POST', endpointsPath, { spec, ...more })
  }

  /** A new endpoint on which nothing is under way any more. */
  async newEndpoint(name: string, change: object = {}, token = this.owner.token): Promise<string> {
    const answer = await this.create(specOf(name, change), token)
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200 })
    await this.settle(answer.body.endpointId, 'active')
    return answer.body.endpointId
  }

  /** As the reconciler does it. */
  async settle(id: string, state: string): Promise<void> {
    await this.api.admin.query('update nexus_endpoints set state = $2 where id = $1', [id, state])
    await this.api.admin.query("update operations set state = 'fulfilled' where resource_id = $1", [id])
  }

  async read(id: string, token = this.owner.token) {
    const answer = await this.api.rest(token, 'GET', `${endpointsPath}/${id}`)
    expect(answer.status).toBe(200)
    return answer.body.endpoint
  }

  async grant(tenant: string, role: string, grants: Readonly<Record<string, string>>): Promise<Principal> {
    const user = await this.api.newUser(tenant, role)
    for (const [namespaceId, permission] of Object.entries(grants)) {
      await this.api.admin.query(
        'insert into namespace_grants (tenant_id, namespace_id, principal_id, permission) values ($1, $2, $3, $4)',
        [tenant, namespaceId, user.id, permission],
      )
    }
    return user
  }
}
