-- What is done by the clock over the whole fleet.

-- One row a kind of sweep, made by whoever comes first: when the next one is due, and which replica is at it. A replica that
-- dies leaves its hold behind, which ends by itself.
create table sweeps (
  kind text primary key,
  due_at timestamptz not null default now(),
  holder text,
  held_until timestamptz,
  check ((holder is null) = (held_until is null))
);
alter table sweeps enable row level security;
create policy every_sweep on sweeps to aqueduct_provisioner using (true) with check (true);
grant select, insert, update on sweeps to aqueduct_provisioner;

-- A pass that failed, or that waits, is not woken by the clock before this time: as namespaces have it.
alter table cells add column retry_at timestamptz;
alter table nodes add column retry_at timestamptz;
alter table nexus_endpoints add column retry_at timestamptz;
grant update (retry_at) on nexus_endpoints to aqueduct_api;

-- Sweeps read page by page, and tombstones stay for ever.
create index cells_live on cells (id) where state <> 'deleted';
create index nodes_live on nodes (id) where state <> 'deleted';
create index namespaces_served on namespaces (id) where served;

-- Which chains of the audit log have entries that old: one look at the first entry of each, which the provisioner itself may
-- not read.
create function audit_chains_older_than(before timestamptz) returns setof text
language sql stable security definer set search_path = public, pg_temp as $$
  select chain from audit_chains c where exists (
    select from audit_entries e where e.chain = c.chain and e.seq = c.first_seq and e.emit_time < before)
  order by chain
$$;
revoke all on function audit_chains_older_than from public;
grant execute on function audit_chains_older_than to aqueduct_provisioner;
