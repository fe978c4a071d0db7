-- Ways to namespaces. Which ones a namespace has stands in its spec, whose change tells reconcilers and edges already; a
-- rule itself never changes, and one that a namespace names cannot go.

create table connectivity_rules (
  id text primary key,
  tenant_id text not null references tenants,
  kind text not null check (kind in ('public', 'private')),
  -- Of public rules.
  stable_ips boolean not null default false,
  -- Of private rules; empty otherwise.
  connection_id text not null default '',
  region text not null default '',
  gcp_project_id text not null default '',
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((kind = 'private') = (connection_id <> '')),
  check ((kind = 'private') = (region <> ''))
);
create unique index connectivity_rules_public on connectivity_rules (tenant_id)
  where kind = 'public' and deleted_at is null;
create unique index connectivity_rules_private on connectivity_rules (tenant_id, region, connection_id, gcp_project_id)
  where kind = 'private' and deleted_at is null;
create index connectivity_rules_page on connectivity_rules (tenant_id, id) where deleted_at is null;

alter table connectivity_rules enable row level security;
create policy own_tenant on connectivity_rules to aqueduct_api
  using (tenant_id = current_setting('aqueduct.tenant_id', true))
  with check (tenant_id = current_setting('aqueduct.tenant_id', true));
create policy every_tenant on connectivity_rules to aqueduct_operator, aqueduct_provisioner, aqueduct_edge, aqueduct_signup
  using (true) with check (true);

grant select, insert on connectivity_rules to aqueduct_api;
-- A rule never changes; to lock it counts as an update of some column.
grant update (deleted_at) on connectivity_rules to aqueduct_api;
grant select on connectivity_rules to aqueduct_operator, aqueduct_edge, aqueduct_provisioner;
