-- Where namespaces run. `observed` columns hold what was last seen: null = surely nothing,
-- {"kind": "unknown"} = an outward call was begun and its end is not known, else the last success.

create table cells (
  id text primary key,
  region text not null,
  driver text not null,
  state text not null default 'creating' check (state in ('creating', 'ready', 'failed', 'deleting', 'deleted')),
  namespace_limit integer not null check (namespace_limit > 0),
  -- numHistoryShards of the cluster: can never change.
  history_shards integer not null check (history_shards > 0),
  server_version text not null,
  database_name text not null unique,
  database_password_sealed text not null,
  databases_observed jsonb,
  generation bigint not null default 1,
  conditions jsonb not null default '{}',
  failures integer not null default 0,
  lease_owner text,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index cells_region on cells (region) where state <> 'deleted';

create table nodes (
  id text primary key,
  cell_id text not null references cells,
  driver text not null,
  -- Reserved with the driver before the node is made.
  address text,
  state text not null default 'creating' check (state in ('creating', 'ready', 'failed', 'deleting', 'deleted')),
  observed jsonb,
  generation bigint not null default 1,
  -- Of the settings that its last manifest was rendered from: others mean a new manifest.
  manifest_settings text,
  conditions jsonb not null default '{}',
  failures integer not null default 0,
  lease_owner text,
  leased_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index nodes_cell on nodes (cell_id) where state <> 'deleted';
