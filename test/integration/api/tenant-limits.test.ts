import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tenantLimits } from '#libs/domain/tenants'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

let api: ApiUnderTest
let owner: Principal
let neighbour: Principal

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  neighbour = await api.newTenant('bbbbb')
})
afterAll(() => api.close())

/** One more of the tenant's, asked for by this person. */
const attempts: readonly (readonly [what: string, fill: string, limit: number, ask: (by: Principal) => object])[] = [
  [
    'namespaces',
    `insert into namespaces (id, tenant_id, name, region, spec, created_by, state)
     select 'n' || i || '.aaaaa', 'aaaaa', 'n' || i, 'aws-us-east-1', '{}', 'x', 'active' from generate_series(1, $1::int) i`,
    tenantLimits.namespaces,
    () => ({
      url: '/cloud/namespaces',
      spec: { name: 'more', regions: ['aws-us-east-1'], retentionDays: 3, apiKeyAuth: { enabled: true } },
    }),
  ],
  [
    'users',
    `insert into users (id, tenant_id, email, account_role)
     select 'usr-' || i, 'aaaaa', 'n' || i || '@example.test', 'read' from generate_series(1, $1::int) i`,
    tenantLimits.users,
    () => ({
      url: '/cloud/users',
      spec: { email: 'more@example.test', access: { accountAccess: { role: 'ROLE_READ' } } },
    }),
  ],
  [
    'user-groups',
    `insert into user_groups (id, tenant_id, kind, display_name)
     select 'grp-' || i, 'aaaaa', 'cloud', 'n' || i from generate_series(1, $1::int) i`,
    tenantLimits.userGroups,
    () => ({ url: '/cloud/user-groups', spec: { displayName: 'more', cloudGroup: {} } }),
  ],
  [
    'service-accounts',
    `insert into service_accounts (id, tenant_id, name, account_role)
     select 'sa-' || i, 'aaaaa', 'n' || i, 'read' from generate_series(1, $1::int) i`,
    tenantLimits.serviceAccounts,
    () => ({
      url: '/cloud/service-accounts',
      spec: { name: 'more', access: { accountAccess: { role: 'ROLE_READ' } } },
    }),
  ],
  [
    'api-keys',
    `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at, deleted_at)
     select 'key-' || i, 'aaaaa', 'service_account', 'sa-1', 'k', now() + interval '1 day', now()
     from generate_series(1, $1::int) i`,
    tenantLimits.revokedApiKeys,
    ({ id }) => ({
      url: '/cloud/api-keys',
      spec: {
        ownerId: id,
        ownerType: 'OWNER_TYPE_USER',
        displayName: 'more',
        expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
      },
    }),
  ],
]

test.each(attempts)('%s have a limit, which is each tenant’s own', async (_what, fill, limit, ask) => {
  const create = (by: Principal) => {
    const { url, ...body } = ask(by) as { readonly url: string }
    return api.rest(by.token, 'POST', url, body)
  }
  await api.admin.query(fill, [limit])
  expect(await create(owner)).toMatchObject({ status: 400, body: { code: status.FAILED_PRECONDITION } })
  expect(await create(neighbour)).toMatchObject({ status: 200 })
})

test('keys of a service account that is gone are not counted', async () => {
  await api.admin.query("update service_accounts set deleted_at = now() where id = 'sa-1'")
  const spec = {
    ownerId: owner.id,
    ownerType: 'OWNER_TYPE_USER',
    displayName: 'more',
    expiryTime: new Date(Date.now() + 3_600_000).toISOString(),
  }
  expect(await api.rest(owner.token, 'POST', '/cloud/api-keys', { spec })).toMatchObject({ status: 200 })
})
