-- Cells of several nodes, on machines that come and go.

alter table cells
  add column size text not null default 'dev' check (size in ('dev', 'small', 'standard')),
  -- What its nodes are to be made from: server version, image, instance types. A node made from another is replaced.
  add column node_template jsonb not null default '{"serverVersion": "1.32.2"}',
  -- Set once its first node was ready: from then on several may start at once.
  add column bootstrapped_at timestamptz,
  -- Gets no new namespaces.
  add column draining boolean not null default false,
  -- Unique for ever, and below the cluster metadata's failover version increment: which writes were whose, once the histories
  -- of two cells meet. Can never change.
  add column failover_version bigint generated always as identity unique;
update cells set bootstrapped_at = now() where state = 'ready';

alter table nodes drop constraint nodes_state_check;
alter table nodes
  add constraint nodes_state_check check (state in ('creating', 'ready', 'failed', 'draining', 'deleting', 'deleted')),
  add column role text not null default 'all' check (role in ('all', 'edge', 'frontend', 'history', 'matching', 'worker')),
  add column slot text not null default 'all-0',
  -- Counted round over the region's zones, which one it prefers.
  add column zone_preference integer not null default 0,
  add column template jsonb not null default '{"serverVersion": "1.32.2"}',
  -- Why it has to be replaced though nothing is wrong with it: its certificate ends, its machine will be taken.
  add column retire_reason text,
  add column retire_by timestamptz,
  add column draining_since timestamptz,
  -- As the driver saw it last.
  add column machine_id text,
  add column machine_zone text,
  add column instance_type text,
  -- Where tenants reach an edge: its slot's.
  add column public_address text;
