-- What no row owns: when it was first seen, and how much of it was deleted. And who may launch machines.

-- One row: this installation's name for itself. What it marks as its own on a shared server, no other installation touches.
create table installation (
  only_one boolean primary key default true check (only_one),
  id text not null,
  created_at timestamptz not null default now()
);

-- What collectors see in the world without an owner. Shared by replicas, and there is an age for what does not say its own.
create table sightings (
  -- Where it was seen, listed as a whole: one driver, or the server of the cells' databases.
  scope text not null,
  kind text not null check (kind in ('node', 'machine', 'address', 'volume', 'database', 'dns_record')),
  id text not null,
  cell_id text not null,
  -- No row, not even a tombstone, knows its cell: it is told of and left alone.
  stranger boolean not null,
  first_seen_at timestamptz not null,
  -- When its deletion was asked for last.
  asked_at timestamptz,
  primary key (scope, kind, id)
);

create table collected (
  kind text primary key,
  total bigint not null default 0,
  last_at timestamptz not null
);

alter table nodes
  -- When it was last allowed to have a machine: from then on it counts against the caps of its cell and its region.
  add column launch_permitted_at timestamptz,
  add column first_ready_at timestamptz,
  add column ended_at timestamptz,
  -- Calls to launch it that failed in a row, and when the last one did.
  add column launch_failures integer not null default 0,
  add column launch_failed_at timestamptz;
update nodes set launch_permitted_at = created_at, first_ready_at = case when state = 'ready' then created_at end
  where state <> 'deleted' and observed is not null;
create index nodes_launched on nodes (cell_id, launch_permitted_at desc) where launch_permitted_at is not null;

-- Written by whoever changes the state, so that no writer can forget it.
create function note_node_life() returns trigger language plpgsql as $$
begin
  if new.state = 'ready' and new.first_ready_at is null then new.first_ready_at := now(); end if;
  if new.state in ('failed', 'deleting', 'deleted') then new.ended_at := coalesce(new.ended_at, now()); else new.ended_at := null; end if;
  return new;
end $$;
create trigger note_node_life before update of state on nodes for each row execute function note_node_life();

grant select, insert on installation to aqueduct_provisioner;
grant select, insert, update, delete on sightings to aqueduct_provisioner;
grant select, insert, update on collected to aqueduct_provisioner;
grant select on sightings, collected to aqueduct_operator;
