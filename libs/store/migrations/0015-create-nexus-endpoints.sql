-- Nexus endpoints: a name within a tenant, a namespace and task queue that handle what is called by it, and the
-- namespaces that may call it.

create table nexus_endpoints (
  id text primary key,
  tenant_id text not null references tenants,
  name text not null,
  -- A Payload's bytes as they were sent; null when there was none, which is not the same as an empty one.
  description bytea,
  target_namespace_id text not null references namespaces,
  target_task_queue text not null,
  -- Ids of namespaces that may call it, in the order of the request.
  allowed_namespace_ids text[] not null,
  state text not null default 'activating',
  resource_version bigint not null default 1,
  generation bigint not null default 1,
  -- Where its target is.
  cell_id text references cells,
  -- Whether the edge routes to it.
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
  deleted_at timestamptz
);
create unique index nexus_endpoints_name on nexus_endpoints (tenant_id, name) where state <> 'deleted';
create index nexus_endpoints_page on nexus_endpoints (tenant_id, id) where state <> 'deleted';
create index nexus_endpoints_target on nexus_endpoints (target_namespace_id) where state <> 'deleted';
create index nexus_endpoints_on_cell on nexus_endpoints (cell_id, name) where state <> 'deleted';
create index nexus_endpoints_unsettled on nexus_endpoints (state) where state in ('activating', 'updating', 'deleting');

alter table nexus_endpoints enable row level security;
create policy own_tenant on nexus_endpoints to aqueduct_api
  using (tenant_id = current_setting('aqueduct.tenant_id', true))
  with check (tenant_id = current_setting('aqueduct.tenant_id', true));
create policy every_tenant on nexus_endpoints to aqueduct_operator, aqueduct_provisioner, aqueduct_edge, aqueduct_signup
  using (true) with check (true);

grant select, insert on nexus_endpoints to aqueduct_api;
grant update (name, description, target_namespace_id, target_task_queue, allowed_namespace_ids, state, resource_version,
  generation, waiting_for, failures, updated_at) on nexus_endpoints to aqueduct_api;
grant select, update on nexus_endpoints to aqueduct_provisioner;
grant select on nexus_endpoints to aqueduct_operator, aqueduct_edge;

-- The edge follows what is served; callers and targets are in the row itself.
create function nexus_endpoints_changed() returns trigger language plpgsql as $$
begin
  if (new.served or old.served) and
     (new.served, new.generation, new.cell_id) is distinct from (old.served, old.generation, old.cell_id) then
    perform pg_notify('aqueduct_edge', coalesce(new.cell_id, '*'));
    if old.cell_id is distinct from new.cell_id then perform pg_notify('aqueduct_edge', coalesce(old.cell_id, '*')); end if;
  end if;
  return null;
end $$;
create trigger nexus_endpoints_changed after update on nexus_endpoints for each row execute function nexus_endpoints_changed();

create or replace function enqueue_task(task text, key text, payload jsonb, run_at timestamptz default now()) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if task not in ('reconcile-namespace', 'reconcile-cell', 'reconcile-node', 'reconcile-nexus-endpoint') then
    raise exception 'unknown task %', task;
  end if;
  perform graphile_worker.add_job(task, payload => payload::json, run_at => run_at, max_attempts => 25,
    job_key => task || ':' || key,
    -- "Come again later" must not put off somebody's "come now" that arrived meanwhile.
    job_key_mode => case when run_at > now() then 'preserve_run_at' else 'replace' end);
end $$;
