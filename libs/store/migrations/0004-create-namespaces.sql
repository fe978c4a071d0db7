-- What tenants own on the cells, and the operations that they poll.

create table namespaces (
  -- <name>.<tenant id>; the row of a deleted namespace stays, so that its id never returns.
  id text primary key,
  tenant_id text not null references tenants,
  name text not null,
  region text not null,
  spec jsonb not null,
  tags jsonb not null default '{}',
  state text not null default 'activating' check (state in
    ('activating', 'activation_failed', 'active', 'updating', 'update_failed', 'deleting', 'delete_failed', 'deleted')),
  resource_version bigint not null default 1,
  -- Bumped on every change of intent; fences late writers, and the edge answers with it.
  generation bigint not null default 1,
  -- Which cell hosts it: our decision, made once.
  cell_id text references cells,
  -- Whether the edge is to serve it. Set after the cell has it, unset before the cell loses it.
  served boolean not null default false,
  cell_observed jsonb,
  edge_observed jsonb,
  waiting_for text not null default '',
  failures integer not null default 0,
  lease_owner text,
  leased_until timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  check (id = name || '.' || tenant_id)
);
create index namespaces_page on namespaces (tenant_id, name) where state <> 'deleted';
create index namespaces_cell on namespaces (cell_id) where state <> 'deleted';
create index namespaces_unsettled on namespaces (id)
  where state in ('activating', 'updating', 'deleting', 'update_failed', 'delete_failed');

create table namespace_grants (
  tenant_id text not null references tenants,
  namespace_id text not null references namespaces,
  principal_id text not null,
  permission text not null check (permission in ('admin', 'write', 'read')),
  created_at timestamptz not null default now(),
  primary key (namespace_id, principal_id)
);
create index namespace_grants_principal on namespace_grants (tenant_id, principal_id);

create table operations (
  tenant_id text not null references tenants,
  -- Chosen by the caller (async_operation_id) or by us; unique within the tenant.
  id text not null,
  rpc text not null,
  -- Of the request: the same id with another body is an error.
  request_hash bytea not null,
  request bytea not null,
  resource_kind text not null,
  resource_id text not null,
  -- The generation of the resource that fulfils it.
  generation bigint not null default 0,
  state text not null check (state in ('pending', 'in_progress', 'failed', 'cancelled', 'fulfilled')),
  failure_reason text not null default '',
  waiting_for text not null default '',
  requested_by text not null,
  deadline_at timestamptz not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, id)
);
create index operations_open on operations (deadline_at) where state in ('pending', 'in_progress');
create index operations_resource on operations (resource_id, generation) where state in ('pending', 'in_progress');
create index operations_recent on operations (created_at desc);
