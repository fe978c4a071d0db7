-- Who did what, and who was refused what: append-only, and chained by hashes, so that a change is seen afterwards.
-- One chain a tenant and one for the fleet: whoever appends holds the head of one chain, and no tenant waits for another.

create table audit_chains (
  -- The tenant's id, or _fleet, which no tenant can be called.
  chain text primary key,
  tenant_id text unique references tenants,
  -- Of the newest entry; 0 and the hash of the chain's name before the first one.
  seq bigint not null,
  hash bytea not null,
  emit_time timestamptz not null,
  -- Where the chain begins now that what was older is pruned: the first entry's number, and the hash that it builds on.
  first_seq bigint not null default 1,
  first_previous_hash bytea not null
);

create table audit_entries (
  chain text not null,
  seq bigint not null,
  -- Of the encoding that is hashed.
  version integer not null,
  -- When it was appended: never earlier than the entry before.
  emit_time timestamptz not null,
  -- When it happened; refusals are appended a moment later.
  occurred_at timestamptz not null,
  tenant_id text,
  -- The database role that appended it, which no caller can choose.
  recorded_by text not null,
  interface text not null,
  operation text not null,
  principal_type text not null,
  principal_id text not null,
  principal_name text not null,
  credential_kind text not null,
  credential_id text not null,
  source_address text not null,
  target jsonb not null,
  -- The name of a gRPC status.
  outcome text not null,
  reason text not null,
  request_id text not null,
  async_operation_id text not null,
  -- Equal refusals that this entry stands for.
  repeats integer not null,
  details jsonb not null,
  hash bytea not null,
  primary key (chain, seq)
);
create index audit_entries_page on audit_entries (chain, emit_time, seq);
create index audit_entries_fleet_page on audit_entries (emit_time, chain, seq);
create index audit_entries_principal on audit_entries (principal_id, emit_time, chain, seq);

-- A head for every tenant from its first moment on: nobody has to make one while others wait.
create function begin_audit_chain(name text, tenant text) returns void
language sql security definer set search_path = public, pg_temp as $$
  insert into audit_chains (chain, tenant_id, seq, hash, emit_time, first_previous_hash)
  select name, tenant, 0, genesis, now(), genesis from (select sha256(convert_to('aqueduct audit chain ' || name, 'UTF8')) as genesis) as begun
$$;
revoke all on function begin_audit_chain from public;

create function tenant_begins_audit_chain() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform begin_audit_chain(new.id, new.id);
  return null;
end $$;
revoke all on function tenant_begins_audit_chain from public;
create trigger tenants_begin_audit_chain after insert on tenants for each row execute function tenant_begins_audit_chain();
select begin_audit_chain('_fleet', null);
select begin_audit_chain(id, id) from tenants;

-- Nothing but the functions below writes, and even the owner does not change history without meaning to.
create function refuse_audit_change() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('aqueduct.audit_writer', true), '') = '' then
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name using errcode = 'insufficient_privilege';
  end if;
  return coalesce(new, old);
end $$;
create trigger audit_entries_append_only before update or delete on audit_entries for each row execute function refuse_audit_change();
create trigger audit_entries_stay before truncate on audit_entries for each statement execute function refuse_audit_change();
create trigger audit_chains_append_only before update or delete on audit_chains for each row execute function refuse_audit_change();
create trigger audit_chains_stay before truncate on audit_chains for each statement execute function refuse_audit_change();

alter table audit_entries enable row level security;
alter table audit_chains enable row level security;
create policy own_tenant on audit_entries for select to aqueduct_api using (tenant_id = current_setting('aqueduct.tenant_id', true));
create policy every_tenant on audit_entries for select to aqueduct_operator using (true);
grant select on audit_entries to aqueduct_api, aqueduct_operator;

-- Length first, so that no two lists of fields read alike. libs/store/audit/entry-hash.ts does the same.
create function audit_field(value text) returns text stable
language sql as $$
  select case when value is null then '-' else octet_length(convert_to(value, 'UTF8'))::text || ':' || value end
$$;
revoke all on function audit_field from public;

create function audit_microseconds(moment timestamptz) returns text stable
language sql as $$
  select ((extract(epoch from moment) * 1000000)::bigint)::text
$$;
revoke all on function audit_microseconds from public;

-- The hash of an entry over the one before, along a chain: a window aggregate.
create function audit_link(state bytea, previous bytea, fields text) returns bytea immutable
language sql as $$
  select sha256(coalesce(state, previous) || convert_to(fields, 'UTF8'))
$$;
create aggregate audit_chain_hash(bytea, text) (sfunc = audit_link, stype = bytea);
revoke all on function audit_link from public;
revoke all on function audit_chain_hash from public;

-- Appends entries in their order, each to the chain of its tenantId, or to the fleet's when no tenant has that id.
-- Returns the places (from 1) of those that were not appended since somebody else held their chain: never while waiting
-- is true. Whoever appends to several chains at once must not wait, or tenants would wait for each other.
-- One statement for all entries: a statement for each took four times as long.
create function append_audit_entries(entries jsonb, waiting boolean) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, pg_temp set "aqueduct.audit_writer" = 'append' as $$
declare
  -- By place: once, so that all that follows means the same chains.
  chain_of text[];
  heads public.audit_chains[];
  moment timestamptz;
  left_out bigint[];
begin
  if jsonb_array_length(entries) > 1000 then
    raise exception 'at most 1000 entries at once';
  end if;
  -- The edge tells of what it refused, and of nothing else.
  if session_user = 'aqueduct_edge' and exists (select from jsonb_array_elements(entries) as e
      where e ->> 'interface' is distinct from 'edge' or coalesce(e ->> 'outcome', 'OK') = 'OK') then
    raise exception 'the edge may tell of refusals alone' using errcode = 'insufficient_privilege';
  end if;

  select array_agg(coalesce(c.chain, '_fleet') order by e.ordinality) into chain_of
  from jsonb_array_elements(entries) with ordinality as e left join public.audit_chains c on c.tenant_id = e.value ->> 'tenantId';
  -- In one order, so that no two who wait can wait for each other. The rows come as they are once they are ours.
  if waiting then
    select array_agg(h) into heads
    from (select c.* from public.audit_chains c where c.chain = any (chain_of) order by c.chain for no key update) as h;
  else
    select array_agg(h) into heads
    from (select c.* from public.audit_chains c where c.chain = any (chain_of) order by c.chain for no key update skip locked) as h;
  end if;
  if waiting and coalesce(cardinality(heads), 0) < (select count(distinct chain) from unnest(chain_of) as chain) then
    raise exception 'a chain of the audit log has no head';
  end if;
  moment := clock_timestamp();

  with given as (
    select chain_of[e.ordinality] as chain, e.ordinality as place, e.value ->> 'principalName' as given_name,
      left(coalesce(e.value ->> 'interface', ''), 64) as interface, left(coalesce(e.value ->> 'operation', ''), 256) as operation,
      left(coalesce(e.value ->> 'principalType', ''), 64) as principal_type,
      left(coalesce(e.value ->> 'principalId', ''), 256) as principal_id,
      left(coalesce(e.value ->> 'credentialKind', ''), 64) as credential_kind,
      left(coalesce(e.value ->> 'credentialId', ''), 256) as credential_id,
      left(coalesce(e.value ->> 'sourceAddress', ''), 64) as source_address,
      case when octet_length((e.value -> 'target')::text) <= 4096 then e.value -> 'target' else '{}' end as target,
      left(coalesce(e.value ->> 'outcome', ''), 64) as outcome, left(coalesce(e.value ->> 'reason', ''), 1024) as reason,
      left(coalesce(e.value ->> 'requestId', ''), 128) as request_id,
      left(coalesce(e.value ->> 'asyncOperationId', ''), 256) as async_operation_id,
      greatest(coalesce((e.value ->> 'repeats')::integer, 1), 1) as repeats,
      case when octet_length((e.value -> 'details')::text) <= 4096 then e.value -> 'details' else '{}' end as details,
      coalesce((e.value ->> 'occurredAt')::timestamptz, moment) as occurred_at
    from jsonb_array_elements(entries) with ordinality as e
  ), placed as (
    select g.*, h.tenant_id, h.hash as previous, greatest(h.emit_time, moment) as emit_time,
      h.seq + row_number() over (partition by g.chain order by g.place) as seq,
      -- As it is called now: the row may be gone when somebody reads this.
      left(coalesce(nullif(g.given_name, ''), u.email, s.name, ''), 320) as principal_name
    from given g join unnest(heads) as h on h.chain = g.chain
    left join public.users u on g.principal_type = 'user' and u.id = g.principal_id and u.tenant_id = h.tenant_id
    left join public.service_accounts s
      on g.principal_type = 'service_account' and s.id = g.principal_id and s.tenant_id = h.tenant_id
  ), appended as (
    insert into public.audit_entries
    select p.chain, p.seq, 1, p.emit_time, p.occurred_at, p.tenant_id, session_user, p.interface, p.operation, p.principal_type,
      p.principal_id, p.principal_name, p.credential_kind, p.credential_id, p.source_address, p.target, p.outcome, p.reason,
      p.request_id, p.async_operation_id, p.repeats, p.details,
      public.audit_chain_hash(p.previous,
        public.audit_field(p.chain) || public.audit_field(p.seq::text) || public.audit_field('1') ||
        public.audit_field(public.audit_microseconds(p.emit_time)) || public.audit_field(public.audit_microseconds(p.occurred_at)) ||
        public.audit_field(p.tenant_id) || public.audit_field(session_user) || public.audit_field(p.interface) ||
        public.audit_field(p.operation) || public.audit_field(p.principal_type) || public.audit_field(p.principal_id) ||
        public.audit_field(p.principal_name) || public.audit_field(p.credential_kind) || public.audit_field(p.credential_id) ||
        public.audit_field(p.source_address) || public.audit_field(p.target::text) || public.audit_field(p.outcome) ||
        public.audit_field(p.reason) || public.audit_field(p.request_id) || public.audit_field(p.async_operation_id) ||
        public.audit_field(p.repeats::text) || public.audit_field(p.details::text))
        over (partition by p.chain order by p.place)
    from placed p
    returning chain, seq, emit_time, hash
  )
  update public.audit_chains c set seq = newest.seq, hash = newest.hash, emit_time = newest.emit_time
  from (select distinct on (a.chain) a.* from appended a order by a.chain, a.seq desc) as newest
  where c.chain = newest.chain;

  if waiting then
    return '{}';
  end if;
  select coalesce(array_agg(e.ordinality order by e.ordinality), '{}') into left_out
  from jsonb_array_elements(entries) with ordinality as e
  where not exists (select from unnest(heads) as h where h.chain = chain_of[e.ordinality]);
  return left_out;
end $$;
revoke all on function append_audit_entries from public;
grant execute on function append_audit_entries to aqueduct_api, aqueduct_signup, aqueduct_operator, aqueduct_edge;

-- Takes away the oldest entries of one chain, and notes in its head where the rest begins. Never the newest entry, and
-- never anything younger than 30 days, whoever asks.
create function prune_audit_chain(name text, older_than timestamptz, at_most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set "aqueduct.audit_writer" = 'prune' as $$
declare
  head record;
  last record;
  pruned bigint;
begin
  if older_than > now() - interval '30 days' then
    raise exception 'entries of the last 30 days stay' using errcode = 'insufficient_privilege';
  end if;
  select * into head from public.audit_chains where chain = name for no key update;
  if not found then
    return 0;
  end if;
  select max(old.seq) as seq into last from (
    select e.seq from public.audit_entries e
    where e.chain = name and e.emit_time < older_than and e.seq < head.seq order by e.emit_time, e.seq limit at_most) as old;
  if last.seq is null then
    return 0;
  end if;
  update public.audit_chains set first_seq = last.seq + 1,
    first_previous_hash = (select e.hash from public.audit_entries e where e.chain = name and e.seq = last.seq) where chain = name;
  delete from public.audit_entries e where e.chain = name and e.seq <= last.seq;
  get diagnostics pruned = row_count;
  return pruned;
end $$;
revoke all on function prune_audit_chain from public;
grant execute on function prune_audit_chain to aqueduct_provisioner;
create policy every_tenant on audit_chains for select to aqueduct_provisioner using (true);
grant select (chain, emit_time) on audit_chains to aqueduct_provisioner;
