-- What nodes tell of refusals at their edges. A node sends a batch again when it saw no answer: the newest batch of each node
-- is known for each chain, so that a repeat appends nothing.
create table refusal_batches (
  node_id text not null,
  chain text not null,
  -- A node that lost its own notes counts from the beginning again, under another name.
  stream text not null,
  number bigint not null,
  primary key (node_id, chain)
);
-- Nobody's: the function below writes it, with its owner's rights.
alter table refusal_batches enable row level security;

-- Appends one batch's entries of one tenant, once. Says whether it did. Waits for that tenant's chain, and for no other.
create function append_refusals(node text, tenant text, stream_name text, batch bigint, entries jsonb) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from jsonb_array_elements(entries) as e where e ->> 'tenantId' is distinct from tenant) then
    raise exception 'all entries have to be of one tenant' using errcode = 'invalid_parameter_value';
  end if;
  insert into public.refusal_batches as known (node_id, chain, stream, number) values (node, tenant, stream_name, batch)
  on conflict (node_id, chain) do update set stream = excluded.stream, number = excluded.number
  where known.stream <> excluded.stream or known.number < excluded.number;
  if not found then
    return false;
  end if;
  perform public.append_audit_entries(entries, true);
  return true;
end $$;
revoke all on function append_refusals from public;
grant execute on function append_refusals to aqueduct_edge;
-- The one way that is left to it.
revoke execute on function append_audit_entries from aqueduct_edge;
