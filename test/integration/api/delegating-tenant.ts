import { expect } from 'vitest'
import type { ApiUnderTest, Principal } from './api-under-test.ts'

export const roles = '/cloud/custom-roles'

export const onAll = (resourceType: string, ...actions: string[]) => ({
  resources: { resourceType, allowAll: true },
  actions,
})
export const onThese = (resourceType: string, resourceIds: readonly string[], ...actions: string[]) => ({
  resources: { resourceType, resourceIds },
  actions,
})

export const statusOf = async (answer: Promise<{ readonly status: number }>): Promise<number> => (await answer).status

/** An account whose owner makes custom roles for others. */
export class DelegatingTenant {
  readonly api: ApiUnderTest
  readonly id: string
  readonly owner: Principal
  #names = 0

  constructor(api: ApiUnderTest, id: string, owner: Principal) {
    this.api = api
    this.id = id
    this.owner = owner
  }

  /** One that was not used yet. */
  name(): string {
    this.#names += 1
    return `name-${this.#names}`
  }

  async newRole(...permissions: object[]): Promise<string> {
    const answer = await this.api.rest(this.owner.token, 'POST', roles, { spec: { name: this.name(), permissions } })
    expect(answer).toMatchObject({ status: 200, body: { asyncOperation: { state: 'STATE_FULFILLED' } } })
    return answer.body.roleId
  }

  /** A user with an account role and a custom role of these permissions, given past the API. */
  async newDelegate(accountRole: string, ...permissions: object[]): Promise<Principal> {
    const delegate = await this.api.newUser(this.id, accountRole)
    await this.hold(delegate, await this.newRole(...permissions))
    return delegate
  }

  async hold({ id }: { readonly id: string }, roleId: string): Promise<void> {
    await this.api.admin.query(
      'insert into principal_custom_roles (tenant_id, principal_id, role_id) values ($1, $2, $3)',
      [this.id, id, roleId],
    )
  }

  async newNamespace(name: string): Promise<string> {
    const spec = { name, regions: ['aws-us-east-1'], retentionDays: 1, apiKeyAuth: { enabled: true } }
    const answer = await this.api.rest(this.owner.token, 'POST', '/cloud/namespaces', { spec })
    expect(answer.status).toBe(200)
    return answer.body.namespace
  }
}
