-- What became of a node's launch, written before and after each request to the provider: a retry, whoever makes it, goes on
-- from there and never makes a second machine.

create table node_launches (
  node_id text primary key references nodes,
  -- For compare-and-set: two passes can be at one node when one of them was stopped for long.
  revision integer not null default 1,
  -- Image, ways to launch, which of them was tried last, and the machine that came of it.
  entry jsonb not null,
  -- Its deletion was asked for: nothing is launched any more.
  ended boolean not null default false
);

alter table node_launches enable row level security;
create policy every_node on node_launches to aqueduct_provisioner using (true) with check (true);
grant select, insert, update on node_launches to aqueduct_provisioner;
