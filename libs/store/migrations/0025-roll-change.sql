-- How a change of what nodes are made from rolls over a region's cells: one canary, and then the others.

create table rollouts (
  id text primary key,
  -- The order in which they were begun.
  seq bigint generated always as identity unique,
  region text not null,
  -- The node template that the cells get.
  target jsonb not null,
  canary_cell_id text not null references cells,
  cells_at_once integer not null check (cells_at_once > 0),
  soak_seconds integer not null check (soak_seconds >= 0),
  -- How long one new node may take.
  node_seconds integer not null check (node_seconds > 0),
  -- How long a cell may not answer.
  unwell_seconds integer not null check (unwell_seconds > 0),
  state text not null default 'canary'
    check (state in ('canary', 'rolling', 'halted', 'rolling_back', 'done', 'rolled_back', 'cancelled')),
  -- Why it does not go on, or went back.
  reason text not null default '',
  generation bigint not null default 1,
  failures integer not null default 0,
  lease_owner text,
  leased_until timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz,
  check ((ended_at is null) = (state in ('canary', 'rolling', 'halted', 'rolling_back')))
);
create unique index rollouts_one_a_region on rollouts (region) where ended_at is null;
create index rollouts_done on rollouts (region, ended_at) where state = 'done';

create table rollout_cells (
  rollout_id text not null references rollouts,
  cell_id text not null references cells,
  -- The node template that it had before.
  previous jsonb not null,
  progress text not null default 'waiting'
    check (progress in ('waiting', 'changing', 'soaking', 'done', 'reverting', 'reverted')),
  since timestamptz not null default now(),
  -- It worked before it was changed, so that it speaks against the change when it does not afterwards.
  judged boolean not null default true,
  -- How often it stopped to work while it soaked.
  breaks integer not null default 0,
  unwell_since timestamptz,
  detail text not null default '',
  primary key (rollout_id, cell_id)
);

grant select, insert on rollouts, rollout_cells to aqueduct_operator;
grant update (state, reason, generation, updated_at, ended_at) on rollouts to aqueduct_operator;
grant update (since, unwell_since) on rollout_cells to aqueduct_operator;
grant select, update on rollouts to aqueduct_provisioner;
grant select, insert, update on rollout_cells to aqueduct_provisioner;

-- Operators make cells, drain and retire them, and have nodes replaced; the rest of the rows is the provisioner's.
grant insert on cells to aqueduct_operator;
grant update (draining, state, updated_at) on cells to aqueduct_operator;
grant update (retire_reason, updated_at) on nodes to aqueduct_operator;

-- One task more. The list is added to and not written anew, since other migrations add to it, too.
do $$
begin
  execute replace(pg_get_functiondef('enqueue_task(text, text, jsonb, timestamptz)'::regprocedure),
    '''reconcile-node''', '''reconcile-node'', ''reconcile-rollout''');
end $$;
