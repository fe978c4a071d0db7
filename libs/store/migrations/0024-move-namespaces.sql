-- Moving a namespace from one cell to another, by the server's own replication.

alter table cells
  -- Cells from before all have one cluster name, which no server lets go of: nothing can be replicated between those.
  add column legacy_cluster_name text;
update cells set legacy_cluster_name = 'active';
alter table cells
  -- What the cell's servers call themselves towards those of others. Can never change.
  add column cluster_name text not null generated always as (coalesce(legacy_cluster_name, id)) stored;

create table moves (
  id text primary key,
  namespace_id text not null references namespaces,
  source_cell_id text not null references cells,
  target_cell_id text not null references cells,
  state text not null default 'connecting' check (state in
    ('connecting', 'replicating', 'handing_over', 'switching', 'leaving', 'aborting', 'done', 'aborted')),
  -- Somebody wants it undone; heeded until the hand-over has begun.
  abort_reason text,
  state_since timestamptz not null default now(),
  waiting_for text not null default '',
  failures integer not null default 0,
  requested_by text not null,
  lease_owner text,
  leased_until timestamptz,
  retry_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  check (source_cell_id <> target_cell_id)
);
-- One at a time of a namespace.
create unique index moves_open on moves (namespace_id) where finished_at is null;
create index moves_cells on moves (source_cell_id, target_cell_id) where finished_at is null;
create index moves_page on moves (id);

-- What a cell's nodes and edges do depends on its moves, too.
create function moves_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('aqueduct_edge', new.source_cell_id);
  perform pg_notify('aqueduct_edge', new.target_cell_id);
  return null;
end $$;
create trigger moves_changed after insert or update of state, finished_at on moves for each row execute function moves_changed();

-- Whom a cell's nodes let in stands in their manifests: those of both cells follow the first move of the pair, and the last.
create function moves_change_trust() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
  node text;
begin
  if exists (select from moves m where m.finished_at is null and m.id <> new.id
      and m.source_cell_id in (new.source_cell_id, new.target_cell_id)
      and m.target_cell_id in (new.source_cell_id, new.target_cell_id)) then
    return null;
  end if;
  for node in update nodes set generation = generation + 1
      where cell_id in (new.source_cell_id, new.target_cell_id) and state <> 'deleted' returning id loop
    perform enqueue_task('reconcile-node', node, jsonb_build_object('nodeId', node));
  end loop;
  return null;
end $$;
revoke all on function moves_change_trust from public;
create trigger moves_begin after insert on moves for each row execute function moves_change_trust();
create trigger moves_end after update on moves for each row
  when (old.finished_at is null and new.finished_at is not null) execute function moves_change_trust();

grant select, insert, update on moves to aqueduct_operator, aqueduct_provisioner;
grant select on moves to aqueduct_edge;
