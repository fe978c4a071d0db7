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

-- Appends entries in their order, each to the chain of its tenantId, or to the fleet's when no tenant has that id.
-- Returns the places (from 1) of those that were not appended since somebody else held their chain: never while waiting
-- is true. Whoever appends to several chains at once must not wait, or tenants would wait for each other.
create function append_audit_entries(entries jsonb, waiting boolean) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, pg_temp set "aqueduct.audit_writer" = 'append' as $$
declare
  wanted record;
  entry record;
  head record;
  digest bytea;
  moment timestamptz;
  name text;
  left_out bigint[] := '{}';
begin
  if jsonb_array_length(entries) > 1000 then
    raise exception 'at most 1000 entries at once';
  end if;
  for wanted in
    select coalesce(c.chain, '_fleet') as chain, c.tenant_id, jsonb_agg(e.value order by e.ordinality) as list,
      array_agg(e.ordinality) as places
    from jsonb_array_elements(entries) with ordinality as e left join public.audit_chains c on c.tenant_id = e.value ->> 'tenantId'
    group by c.chain, c.tenant_id order by 1
  loop
    if waiting then
      select seq, hash, emit_time into strict head from public.audit_chains where chain = wanted.chain for no key update;
    else
      select seq, hash, emit_time into head from public.audit_chains where chain = wanted.chain for no key update skip locked;
      if not found then
        left_out := left_out || wanted.places;
        continue;
      end if;
    end if;
    for entry in
      select left(coalesce(x.interface, ''), 64) as interface, left(coalesce(x.operation, ''), 256) as operation,
        left(coalesce(x."principalType", ''), 64) as principal_type, left(coalesce(x."principalId", ''), 256) as principal_id,
        left(coalesce(x."principalName", ''), 320) as principal_name,
        left(coalesce(x."credentialKind", ''), 64) as credential_kind, left(coalesce(x."credentialId", ''), 256) as credential_id,
        left(coalesce(x."sourceAddress", ''), 64) as source_address,
        case when octet_length(x.target::text) <= 4096 then x.target else '{}' end as target,
        left(coalesce(x.outcome, ''), 64) as outcome, left(coalesce(x.reason, ''), 1024) as reason,
        left(coalesce(x."requestId", ''), 128) as request_id, left(coalesce(x."asyncOperationId", ''), 256) as async_operation_id,
        greatest(coalesce(x.repeats, 1), 1) as repeats,
        case when octet_length(x.details::text) <= 4096 then x.details else '{}' end as details,
        coalesce(x."occurredAt", clock_timestamp()) as occurred_at
      from jsonb_to_recordset(wanted.list) as x(interface text, operation text, "principalType" text, "principalId" text,
        "principalName" text, "credentialKind" text, "credentialId" text, "sourceAddress" text, target jsonb, outcome text,
        reason text, "requestId" text, "asyncOperationId" text, repeats integer, details jsonb, "occurredAt" timestamptz)
    loop
      -- The edge tells of what it refused, and of nothing else.
      if session_user = 'aqueduct_edge' and (entry.interface <> 'edge' or entry.outcome = 'OK') then
        raise exception 'the edge may tell of refusals alone' using errcode = 'insufficient_privilege';
      end if;
      name := entry.principal_name;
      -- As it is called now: the row may be gone when somebody reads this.
      if name = '' and wanted.tenant_id is not null then
        if entry.principal_type = 'user' then
          select u.email into name from public.users u where u.id = entry.principal_id and u.tenant_id = wanted.tenant_id;
        elsif entry.principal_type = 'service_account' then
          select s.name into name from public.service_accounts s where s.id = entry.principal_id and s.tenant_id = wanted.tenant_id;
        end if;
        name := coalesce(name, '');
      end if;
      moment := greatest(head.emit_time, clock_timestamp());
      digest := sha256(head.hash || convert_to(
        public.audit_field(wanted.chain) || public.audit_field((head.seq + 1)::text) || public.audit_field('1') ||
        public.audit_field(public.audit_microseconds(moment)) || public.audit_field(public.audit_microseconds(entry.occurred_at)) ||
        public.audit_field(wanted.tenant_id) || public.audit_field(session_user) || public.audit_field(entry.interface) ||
        public.audit_field(entry.operation) || public.audit_field(entry.principal_type) || public.audit_field(entry.principal_id) ||
        public.audit_field(name) || public.audit_field(entry.credential_kind) || public.audit_field(entry.credential_id) ||
        public.audit_field(entry.source_address) || public.audit_field(coalesce(entry.target, '{}')::text) ||
        public.audit_field(entry.outcome) || public.audit_field(entry.reason) || public.audit_field(entry.request_id) ||
        public.audit_field(entry.async_operation_id) || public.audit_field(entry.repeats::text) ||
        public.audit_field(coalesce(entry.details, '{}')::text), 'UTF8'));
      insert into public.audit_entries values (wanted.chain, head.seq + 1, 1, moment, entry.occurred_at, wanted.tenant_id,
        session_user, entry.interface, entry.operation, entry.principal_type, entry.principal_id, name, entry.credential_kind,
        entry.credential_id, entry.source_address, coalesce(entry.target, '{}'), entry.outcome, entry.reason, entry.request_id,
        entry.async_operation_id, entry.repeats, coalesce(entry.details, '{}'), digest);
      head.seq := head.seq + 1;
      head.hash := digest;
      head.emit_time := moment;
    end loop;
    update public.audit_chains set seq = head.seq, hash = head.hash, emit_time = head.emit_time where chain = wanted.chain;
  end loop;
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
