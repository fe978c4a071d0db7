import type { Client } from 'pg'

/** Rows of the one tenant that is asked; nine others have a hundredth of it each. */
const big = { keys: 20_000, users: 2_000, accounts: 1_000, namespaces: 1_000, groups: 1_000, operations: 20_000 }

/**
 * Fills the tables of tenants with so many rows that the planner has to care, and lets it know. The developer is there
 * already, and gets a group and grants.
 */
export async function seed(admin: Client, tenant: string, developerId: string): Promise<void> {
  await admin.query('begin')
  // Wake-ups of edges and reconcilers are not what this is about.
  await admin.query("set local session_replication_role = 'replica'")
  for (const [id, share] of [[tenant, 1] as const, ...others.map((other) => [other, 100] as const)]) {
    if (id !== tenant) await admin.query('insert into tenants (id, name) values ($1, $1)', [id])
    const insert = (sql: string, count: number) => admin.query(sql, [id, Math.ceil(count / share)])
    await insert(
      `insert into users (id, tenant_id, email, account_role)
       select 'usr-' || $1 || '-' || i, $1, 'user-' || i || '@example.com', 'developer' from generate_series(1, $2) i`,
      big.users,
    )
    await insert(
      `insert into service_accounts (id, tenant_id, name, account_role)
       select 'sa-' || $1 || '-' || i, $1, 'sa-' || i, 'read' from generate_series(1, $2) i`,
      big.accounts,
    )
    await insert(
      `insert into namespaces (id, tenant_id, name, region, spec, state, created_by)
       select 'ns-' || i || '.' || $1, $1, 'ns-' || i, 'aws-us-east-1', '{"regions":["aws-us-east-1"]}', 'active', 'x'
       from generate_series(1, $2) i`,
      big.namespaces,
    )
    await insert(
      `insert into namespace_grants (tenant_id, namespace_id, principal_id, permission)
       select $1, 'ns-' || 1 + i % 10 || '.' || $1, 'usr-' || $1 || '-' || i, 'write' from generate_series(1, $2) i`,
      big.users,
    )
    await insert(
      `insert into user_groups (id, tenant_id, kind, display_name)
       select 'grp-' || $1 || '-' || i, $1, 'cloud', 'group-' || i from generate_series(1, $2) i`,
      big.groups,
    )
    await insert(
      `insert into user_group_members (tenant_id, group_id, user_id)
       select $1, 'grp-' || $1 || '-' || 1 + i % 10, 'usr-' || $1 || '-' || i from generate_series(1, $2) i`,
      big.users,
    )
    await insert(
      `insert into api_keys (id, tenant_id, owner_kind, owner_id, display_name, expires_at)
       select 'key-' || $1 || '-' || i, $1, 'user', 'usr-' || $1 || '-' || i % 1000, 'k', now() + interval '1 day'
       from generate_series(1, $2) i`,
      big.keys,
    )
    await insert(
      `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, state, requested_by, deadline_at)
       select $1, 'op-' || $1 || '-' || i, 'UpdateUser', '', '', 'user', 'usr-' || $1 || '-' || i % 1000, 'fulfilled', 'x', now()
       from generate_series(1, $2) i`,
      big.operations,
    )
  }
  await admin.query(
    `insert into user_group_members (tenant_id, group_id, user_id) select $1, 'grp-' || $1 || '-7', $2 on conflict do nothing`,
    [tenant, developerId],
  )
  await admin.query(
    `insert into namespace_grants (tenant_id, namespace_id, principal_id, permission)
     select $1, 'ns-' || i || '.' || $1, $2, 'admin' from generate_series(1, 20) i`,
    [tenant, developerId],
  )
  await admin.query('commit')
  await admin.query('analyze')
}

const others = Array.from({ length: 9 }, (_, index) => `other${index}`)
