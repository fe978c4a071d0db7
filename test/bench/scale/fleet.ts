import type { Client } from 'pg'
import { sealer } from '#libs/sealing'
import { SmallWorld } from '../../faults/small-world.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import type { FleetSize } from './fleet-size.ts'

/** One tenant has so many namespaces, on as many cells. */
const namespacesPerTenant = 100

/**
 * Fills a migrated, empty database with a fleet at rest. One cell of three nodes and one namespace are brought up by the
 * reconcilers themselves, against fakes; all the others are copies of their rows, so that whatever a settled row is, theirs are.
 */
export async function makeFleet(
  admin: Client,
  urls: { readonly databaseUrl: string; readonly adminUrl: string },
  { cells, namespaces }: FleetSize,
): Promise<void> {
  await admin.query("insert into tenants (id, name) values ('first', 'First')")
  await admin.query(
    `insert into namespaces (id, tenant_id, name, region, spec, created_by)
     values ('first.first', 'first', 'first', 'aws-us-east-1', $1, 'usr-1')`,
    [{ name: 'first', regions: ['aws-us-east-1'], retentionDays: 3 }],
  )
  const world = new SmallWorld(
    { roleUrl: () => urls.databaseUrl },
    { cellSize: 'small', cellDatabaseUrl: urls.adminUrl },
  )
  try {
    await world.settle()
  } finally {
    await world.database.close()
  }
  await admin.query(
    `insert into tenants (id, name) select 't' || lpad(to_hex(i), 4, '0'), 'Tenant ' || i
     from generate_series(1, $1::int) i`,
    [Math.ceil(namespaces / namespacesPerTenant)],
  )
  await admin.query('begin')
  // Nobody is to hear of these, and what they refer to is made beside them.
  await admin.query("set local session_replication_role = 'replica'")
  await copy(admin, 'cells', 'generate_series(2, $1::int) i', { id: cellId, database_name: "'cell_' || i" }, [cells])
  await admin.query(`update nodes set id = 'node-first-' || slot, machine_id = 'node-first-' || slot`)
  await admin.query(
    `update certificates c set node_id = n.id from nodes n where c.purpose = 'node' and n.slot = 'all-' ||
       (select count(*) from certificates d where d.purpose = 'node' and d.id < c.id)`,
  )
  await copy(admin, 'nodes', 'generate_series(2, $1::int) i', { id: nodeId, machine_id: nodeId, cell_id: cellId }, [
    cells,
  ])
  await copy(
    admin,
    'certificates',
    'generate_series(2, $1::int) i',
    {
      id: `'cert-' || i || '-' || row.node_id`,
      fingerprint: `'node ' || i || ' ' || row.node_id`,
      node_id: `'node-' || lpad(i::text, 6, '0') || right(row.node_id, 6)`,
    },
    [cells],
    "purpose = 'node'",
  )
  const tenantId = `'t' || lpad(to_hex(1 + (i - 1) / ${namespacesPerTenant}), 4, '0')`
  await copy(
    admin,
    'namespaces',
    'generate_series(1, $1::int) i',
    {
      id: `'ns-' || i || '.' || ${tenantId}`,
      name: `'ns-' || i`,
      tenant_id: tenantId,
      cell_id: `case when i % $2::int = 0 then row.cell_id else 'cell-' || lpad((1 + i % $2::int)::text, 6, '0') end`,
    },
    [namespaces, cells],
    "id = 'first.first'",
  )
  const sealed = sealer(Buffer.from(testMasterKey)).seal('x'.repeat(240), 'certificates/fleet')
  await admin.query(
    `insert into certificates (id, authority_id, purpose, tenant_id, namespace_id, common_name, serial_number, fingerprint,
       certificate_pem, key_sealed, not_before, not_after, issued_by)
     select 'cert-' || id, 'ca-fleet', 'edge_server', tenant_id, id, id, id, 'edge ' || id, repeat('x', 1000), $1,
       now(), now() + interval '90 days', 'provisioner' from namespaces`,
    [sealed],
  )
  await admin.query(
    `insert into nexus_endpoints (id, tenant_id, name, target_namespace_id, target_task_queue, allowed_namespace_ids, state,
       cell_id, served, cell_observed, edge_observed, created_by)
     select 'nexus-' || id, 't0001', 'endpoint-' || id, 'ns-1.t0001', 'queue', '{}', 'active', id, true,
       jsonb_build_object('kind', 'present', 'name', 'endpoint-' || id), '{"kind": "serving", "generation": 1}', 'usr-1'
     from cells`,
  )
  await admin.query(
    `insert into operations (tenant_id, id, rpc, request_hash, request, resource_kind, resource_id, generation, state,
       requested_by, deadline_at, finished_at)
     select tenant_id, 'op-' || id, 'CreateNamespace', '', '', 'namespace', id, 1, 'fulfilled', 'usr-1', now(), now()
     from namespaces where tenant_id <> 'first'`,
  )
  // What the first cell still had in the queue.
  await admin.query('delete from graphile_worker._private_jobs')
  await admin.query('commit')
  await admin.query('vacuum analyze')
}

const nodeId = `'node-' || lpad(i::text, 6, '0') || '-' || row.slot`
const cellId = `'cell-' || lpad(i::text, 6, '0')`

/** Inserts copies of a table's rows, with some columns their own: SQL in which `row` is the row and `i` the number. */
async function copy(
  admin: Client,
  table: string,
  numbers: string,
  own: Readonly<Record<string, string>>,
  values: readonly unknown[],
  which = 'true',
): Promise<void> {
  const { rows } = await admin.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = 'public' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'`,
    [table],
  )
  const names = rows.map(({ name }) => name)
  await admin.query(
    `insert into ${table} (${names.join(', ')})
     select ${names.map((name) => own[name] ?? `row.${name}`).join(', ')}
     from (select * from ${table} where ${which}) row cross join ${numbers}`,
    [...values],
  )
}
