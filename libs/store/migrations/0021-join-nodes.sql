-- How a machine that nobody can log in to becomes a node: it joins, fetches its manifest, and says how it is.

-- What a node is to be, sealed for the place `node_manifests/<node>/<generation>`: it holds passwords.
create table node_manifests (
  node_id text primary key references nodes,
  generation bigint not null,
  manifest_sealed text not null,
  stored_at timestamptz not null default now()
);

-- What a node says of itself.
create table node_reports (
  node_id text primary key references nodes,
  state text not null check (state in ('starting', 'ready', 'failed', 'stopped')),
  -- −1: it has no manifest yet.
  generation bigint not null check (generation >= -1),
  detail text not null,
  -- What its machine was told: {"kind", "at", "detail"}.
  notice jsonb,
  received_at timestamptz not null default now()
);

-- Which machine may become the node, and what became of it.
create table node_joins (
  node_id text primary key references nodes,
  -- Where the node fetches its manifest from then on.
  discovery_url text not null,
  -- Nobody joins after this; who joined before is answered again.
  expires_at timestamptz not null,
  -- As the driver saw them; null until it did.
  machine_id text,
  address text,
  -- SHA-256 of the one key that the node will ever have (SPKI), in hex, and the request that brought it.
  public_key text,
  csr_pem text,
  joined_at timestamptz,
  -- The node's certificate and its cell's CA.
  chain_pem text,
  signed_at timestamptz,
  check ((machine_id is null) = (address is null)),
  check ((public_key is null) = (csr_pem is null) and (public_key is null) = (joined_at is null)),
  check ((chain_pem is null) = (signed_at is null)),
  check (machine_id is not null or public_key is null),
  check (public_key is not null or chain_pem is null)
);

alter table node_manifests enable row level security;
alter table node_reports enable row level security;
alter table node_joins enable row level security;
create policy every_node on node_manifests to aqueduct_provisioner using (true) with check (true);
create policy every_node on node_reports to aqueduct_provisioner using (true) with check (true);
create policy every_node on node_joins to aqueduct_provisioner using (true) with check (true);
grant select, insert, update, delete on node_manifests, node_reports, node_joins to aqueduct_provisioner;

-- The edge hands manifests to nodes that are to stay. Reports and joins it writes by the two functions below, and in no other way.
create policy staying_nodes on node_manifests for select to aqueduct_edge
  using (exists (select from nodes where id = node_id and state not in ('draining', 'deleting', 'deleted')));
grant select on node_manifests to aqueduct_edge;

-- Long polls listen on this channel; the payload is a node id.
create function node_manifest_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('aqueduct_nodes', new.node_id);
  return null;
end $$;
create trigger node_manifest_changed after insert or update on node_manifests
  for each row execute function node_manifest_changed();

-- Takes up what a node says, if that is news or the last of it is `fresh` old. The reconciler is woken by news alone.
-- Says whether there is such a node.
create function report_node(node text, said_state text, said_generation bigint, said_detail text, said_notice jsonb, fresh interval)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  known public.node_reports;
  is_news boolean;
begin
  if not exists (select from public.nodes where id = node and state not in ('deleting', 'deleted')) then
    return false;
  end if;
  select * into known from public.node_reports where node_id = node;
  is_news := not found or (known.state, known.generation, known.detail, known.notice)
    is distinct from (said_state, said_generation, said_detail, said_notice);
  if not is_news and known.received_at > now() - fresh then
    return true;
  end if;
  insert into public.node_reports (node_id, state, generation, detail, notice)
  values (node, said_state, said_generation, said_detail, said_notice)
  on conflict (node_id) do update set state = excluded.state, generation = excluded.generation, detail = excluded.detail,
    notice = excluded.notice, received_at = now();
  if is_news then
    perform public.enqueue_task('reconcile-node', node, jsonb_build_object('nodeId', node));
  end if;
  return true;
end $$;
alter function report_node owner to aqueduct_provisioner;
revoke all on function report_node from public;
grant execute on function report_node to aqueduct_edge;

-- One machine's attempt to become the node; its token was checked before. The first key is the only one for ever.
create function join_node(node text, machine text, source text, key text, csr text,
  out outcome text, out chain_pem text, out discovery_url text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  joining public.node_joins;
begin
  select j.* into joining from public.node_joins j join public.nodes n on n.id = j.node_id
  where j.node_id = node and n.state not in ('draining', 'deleting', 'deleted')
  for update of j;
  outcome := case
    when not found then 'no_such_node'
    when joining.machine_id is null then 'machine_not_seen'
    when joining.machine_id <> machine then 'other_machine'
    when joining.address <> source then 'other_address'
    when joining.public_key <> key then 'other_key'
    when joining.public_key is null and joining.expires_at <= now() then 'expired'
    else 'joined' end;
  if outcome <> 'joined' then
    return;
  end if;
  if joining.public_key is null then
    update public.node_joins set public_key = key, csr_pem = csr, joined_at = now() where node_id = node;
  end if;
  if joining.chain_pem is null then
    perform public.enqueue_task('reconcile-node', node, jsonb_build_object('nodeId', node));
  end if;
  chain_pem := joining.chain_pem;
  discovery_url := joining.discovery_url;
end $$;
alter function join_node owner to aqueduct_provisioner;
revoke all on function join_node from public;
grant execute on function join_node to aqueduct_edge;

-- The edge talks to machines that are taken over one day: it reads the keys that it serves with, and no cell's or tenant's CA.
alter policy every_tenant on certificates to aqueduct_operator, aqueduct_provisioner, aqueduct_signup;
create policy of_edges on certificates for select to aqueduct_edge using (purpose in ('tenant_client', 'edge_server'));
alter policy every_tenant on certificate_authorities to aqueduct_operator, aqueduct_provisioner, aqueduct_signup;
create policy of_edges on certificate_authorities for select to aqueduct_edge using (purpose = 'server');
-- What nodes' certificates lead to, without its key.
create function node_root_certificate() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select certificate_pem from public.certificate_authorities where purpose = 'node'
$$;
alter function node_root_certificate owner to aqueduct_provisioner;
revoke all on function node_root_certificate from public;
grant execute on function node_root_certificate to aqueduct_edge;
