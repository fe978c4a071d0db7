-- How fast a tenant may be: what an operator set for it, and where the calls of the Cloud Ops API are counted.

-- Only what differs from the defaults, which are the code's (libs/domain/tenants/limits.ts).
alter table tenants add column limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object');

-- A leaky bucket a tenant and a principal, from which every replica of the API leases calls (libs/store/request-leases).
-- Unlogged: nothing is lost with it but what was counted in the last second, and it costs no write-ahead log.
create unlogged table request_buckets (
  tenant_id text not null,
  -- The tenant's own id, or a principal's.
  subject text not null,
  per_second integer not null,
  -- When all of it has leaked away, should nobody call any more. Never more than a second ahead.
  empty_at timestamptz not null,
  -- How the last lease came out: an upsert can return nothing but the row.
  asked_at timestamptz not null,
  granted integer not null,
  primary key (tenant_id, subject)
) with (fillfactor = 50);
alter table request_buckets enable row level security;
create policy own_tenant on request_buckets to aqueduct_api using (tenant_id = current_setting('aqueduct.tenant_id', true))
  with check (tenant_id = current_setting('aqueduct.tenant_id', true));
create policy every_tenant on request_buckets to aqueduct_provisioner using (true) with check (true);
grant select, insert, update on request_buckets to aqueduct_api;
grant select, delete on request_buckets to aqueduct_provisioner;

-- Counted before each change that a reconciler has to carry out.
create index operations_in_flight on operations (tenant_id) where state in ('pending', 'in_progress');
