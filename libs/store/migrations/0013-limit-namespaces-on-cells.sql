-- Search attributes, capacity and fairness of namespaces: what the cell's servers are told, and what they hold.

alter table namespaces
  -- A pass that failed, or that waits, is not woken by the clock before this time.
  add column retry_at timestamptz,
  -- What the cell's nodes were asked to hold for this namespace, under which version of the cell's limits, and whether
  -- they act on it; null = nothing was ever asked, the cell's defaults act.
  add column limits_observed jsonb,
  -- {"current": what acts, "request": the latest change and how it went}; null = nobody ever asked for a capacity.
  add column capacity_status jsonb;
grant update (retry_at, capacity_status) on namespaces to aqueduct_api;

-- Bumped whenever a namespace's limits change: what a node holds is named by it.
alter table cells add column limits_version bigint not null default 0;

alter table nodes
  -- Of the limits in its latest manifest, in the one that it runs by, and since when it does.
  add column limits_version bigint not null default 0,
  add column limits_held bigint not null default 0,
  add column limits_held_at timestamptz;

create index namespaces_limited on namespaces (cell_id) where limits_observed is not null and state <> 'deleted';
