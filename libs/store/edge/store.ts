import { sql } from 'kysely'
import type { NamespacePermission, PrincipalRole } from '#libs/authz'
import type { ConnectivityRuleSpec } from '#libs/domain/connectivity-rules'
import type { NamespaceSpec } from '#libs/domain/namespaces'
import { hasFrontend, nodeRoles } from '#libs/domain/nodes'
import type { TenantState } from '#libs/domain/tenants'
import { connectivityRuleSpecOf } from '../connectivity-rules/store.ts'
import type { Database, Executor } from '../database.ts'
import { rolesOf } from '../principals/store.ts'
import { strongest } from '../principals/strongest.ts'
import { ownerLives } from '../tenants/room.ts'

const frontendRoles = nodeRoles.filter(hasFrontend)

/** Everything that one cell's edge is made of, as the rows say it at one moment. */
export interface EdgeRows {
  readonly frontends: readonly { readonly address: string }[]
  readonly namespaces: readonly EdgeNamespaceRow[]
  /** Of the tenants that have a namespace here. */
  readonly principals: readonly EdgePrincipalRow[]
  /** Keys that were deleted or disabled before they expired, of those whose owner is still there. */
  readonly revokedKeys: readonly { readonly tenant_id: string; readonly id: string }[]
  /** Leaves of the tenants' managed CAs that were revoked before they expired. */
  readonly revokedCertificates: readonly { readonly tenant_id: string; readonly fingerprint: string }[]
  /** Nexus endpoints that are to be routed here. */
  readonly nexusEndpoints: readonly EdgeNexusRow[]
  /** Those of the tenants that have a Nexus endpoint, or had one: operations of then may still be under way. */
  readonly nexusTenants: readonly string[]
  /** Of those tenants, in use or not. */
  readonly connectivityRules: readonly EdgeConnectivityRule[]
}

export interface EdgeConnectivityRule {
  readonly id: string
  readonly tenant_id: string
  readonly spec: ConnectivityRuleSpec
}

export interface EdgeNexusRow {
  readonly id: string
  readonly tenant_id: string
  readonly name: string
  readonly generation: number
  readonly target_namespace_id: string
  readonly target_task_queue: string
  readonly allowed_namespace_ids: readonly string[]
}

export interface EdgeNamespaceRow {
  readonly id: string
  readonly tenant_id: string
  readonly generation: number
  readonly spec: NamespaceSpec
  readonly tenant_state: TenantState
  readonly certificate_id: string
  readonly certificate_pem: string
  readonly key_sealed: string
}

export interface EdgePrincipalRow {
  readonly id: string
  readonly tenant_id: string
  /** Its own and its groups'. */
  readonly roles: ReadonlySet<PrincipalRole>
  readonly grants: Readonly<Record<string, NamespacePermission>>
}

/** @returns undefined when there is no such cell. */
export async function readEdgeRows(database: Database, cellId: string): Promise<EdgeRows | undefined> {
  return database.all
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const cell = await trx
        .selectFrom('cells')
        .select('id')
        .where('id', '=', cellId)
        .where('state', '<>', 'deleted')
        .executeTakeFirst()
      if (cell === undefined) return undefined
      const nodes = await trx
        .selectFrom('nodes')
        .select('address')
        .where('cell_id', '=', cellId)
        .where('role', 'in', frontendRoles)
        // One that is out of order may be back sooner than we hear of it: whether it answers, each edge asks by itself.
        .where((eb) =>
          eb.or([
            eb('state', '=', 'ready'),
            eb.and([eb('state', '=', 'creating'), eb('first_ready_at', 'is not', null)]),
          ]),
        )
        .where('address', 'is not', null)
        .orderBy('id')
        .execute()
      const namespaces = await readNamespaces(trx, cellId)
      const tenantIds = [...new Set(namespaces.map((row) => row.tenant_id))]
      return {
        frontends: nodes.flatMap(({ address }) => (address === null ? [] : [{ address }])),
        namespaces,
        principals: await readPrincipals(trx, tenantIds),
        revokedKeys: await readRevokedKeys(trx, tenantIds),
        revokedCertificates: await readRevokedCertificates(trx, tenantIds),
        nexusEndpoints: await readNexusEndpoints(trx, cellId),
        nexusTenants: await readNexusTenants(trx, tenantIds),
        connectivityRules: await readConnectivityRules(trx, tenantIds),
      }
    })
}

/** Whose the namespaces are, of those of them that are on this cell; one that was deleted is still its tenant's. */
export async function readNamespaceTenants(
  database: Database,
  cellId: string,
  namespaceIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await database.all
    .selectFrom('namespaces')
    .select(['id', 'tenant_id'])
    .where('cell_id', '=', cellId)
    .where('id', 'in', [...namespaceIds])
    .execute()
  return new Map(rows.map((row) => [row.id, row.tenant_id]))
}

async function readNamespaces(executor: Executor, cellId: string): Promise<EdgeNamespaceRow[]> {
  const { rows } = await sql<EdgeNamespaceRow>`
    select n.id, n.tenant_id, n.generation, n.spec, t.state as tenant_state,
      c.id as certificate_id, c.certificate_pem, c.key_sealed
    from namespaces n
    join tenants t on t.id = n.tenant_id
    join lateral (
      select id, certificate_pem, key_sealed from certificates
      where namespace_id = n.id and purpose = 'edge_server' order by not_after desc limit 1) c on true
    where n.served and n.state <> 'deleted' and (n.cell_id = ${cellId} or exists (
      -- It has just left: its old cell passes calls on until everybody has heard of it.
      select from moves m where m.namespace_id = n.id and m.source_cell_id = ${cellId} and m.state = 'switching'))
    order by n.id`.execute(executor)
  return rows
}

async function readPrincipals(executor: Executor, tenantIds: readonly string[]): Promise<EdgePrincipalRow[]> {
  if (tenantIds.length === 0) return []
  const { rows } = await sql<Omit<EdgePrincipalRow, 'roles'> & { readonly roles: readonly string[] }>`
    with principals as (
      select id, tenant_id, account_role from users where deleted_at is null and deactivated_at is null and tenant_id = any(${[...tenantIds]}::text[])
      union all
      select id, tenant_id, account_role from service_accounts
      where deleted_at is null and tenant_id = any(${[...tenantIds]}::text[])),
    holders as (
      select id as principal_id, id as holder_id, account_role from principals
      union all
      select m.user_id, m.group_id, g.account_role from user_group_members m
      join user_groups g on g.id = m.group_id and g.deleted_at is null
      where m.tenant_id = any(${[...tenantIds]}::text[])),
    granted as (
      select h.principal_id, n.namespace_id, ${strongest(sql`n.permission`)} as permission
      from holders h join namespace_grants n on n.principal_id = h.holder_id
      where n.tenant_id = any(${[...tenantIds]}::text[])
      group by h.principal_id, n.namespace_id)
    select p.id, p.tenant_id, r.roles, coalesce(a.grants, '{}') as grants
    from principals p
    join (select h.principal_id, array_agg(distinct h.account_role) as roles from holders h group by 1) r on r.principal_id = p.id
    left join (select g.principal_id, jsonb_object_agg(g.namespace_id, g.permission) as grants from granted g group by 1) a
      on a.principal_id = p.id
    order by p.id`.execute(executor)
  return rows.map((row) => ({ ...row, roles: rolesOf(row.roles) }))
}

async function readRevokedKeys(
  executor: Executor,
  tenantIds: readonly string[],
): Promise<{ tenant_id: string; id: string }[]> {
  if (tenantIds.length === 0) return []
  return executor
    .selectFrom('api_keys')
    .select(['tenant_id', 'id'])
    .where('tenant_id', 'in', [...tenantIds])
    .where((eb) => eb.or([eb('deleted_at', 'is not', null), eb('disabled', '=', true)]))
    .where('expires_at', '>', sql<Date>`now()`)
    .where(ownerLives('api_keys'))
    .orderBy('id')
    .execute()
}

async function readRevokedCertificates(
  executor: Executor,
  tenantIds: readonly string[],
): Promise<{ tenant_id: string; fingerprint: string }[]> {
  if (tenantIds.length === 0) return []
  const rows = await executor
    .selectFrom('certificates')
    .select(['tenant_id', 'fingerprint'])
    .where('purpose', '=', 'tenant_client')
    .where('tenant_id', 'in', [...tenantIds])
    .where('revoked_at', 'is not', null)
    .where('not_after', '>', sql<Date>`now()`)
    .orderBy('fingerprint')
    .execute()
  return rows.flatMap(({ tenant_id, fingerprint }) => (tenant_id === null ? [] : [{ tenant_id, fingerprint }]))
}

async function readConnectivityRules(
  executor: Executor,
  tenantIds: readonly string[],
): Promise<EdgeConnectivityRule[]> {
  if (tenantIds.length === 0) return []
  const rows = await executor
    .selectFrom('connectivity_rules')
    .selectAll()
    .where('tenant_id', 'in', [...tenantIds])
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute()
  return rows.map((row) => ({ id: row.id, tenant_id: row.tenant_id, spec: connectivityRuleSpecOf(row) }))
}

async function readNexusEndpoints(executor: Executor, cellId: string): Promise<EdgeNexusRow[]> {
  return executor
    .selectFrom('nexus_endpoints')
    .select(['id', 'tenant_id', 'name', 'generation', 'target_namespace_id', 'target_task_queue'])
    .select('allowed_namespace_ids')
    .where('cell_id', '=', cellId)
    .where('served', '=', true)
    .where('state', '<>', 'deleted')
    .orderBy('id')
    .execute()
}

async function readNexusTenants(executor: Executor, tenantIds: readonly string[]): Promise<string[]> {
  if (tenantIds.length === 0) return []
  const rows = await executor
    .selectFrom('nexus_endpoints')
    .select('tenant_id')
    .distinct()
    .where('tenant_id', 'in', [...tenantIds])
    .orderBy('tenant_id')
    .execute()
  return rows.map((row) => row.tenant_id)
}
