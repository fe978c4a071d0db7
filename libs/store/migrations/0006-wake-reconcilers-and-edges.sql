-- Wake-ups that commit with the change that they are about.

-- The API's role may not touch the queue's tables; it may ask for these tasks, by key, and nothing else.
create function enqueue_task(task text, key text, payload jsonb, run_at timestamptz default now()) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if task not in ('reconcile-namespace', 'reconcile-cell', 'reconcile-node') then
    raise exception 'unknown task %', task;
  end if;
  perform graphile_worker.add_job(task, payload => payload::json, run_at => run_at, max_attempts => 25,
    job_key => task || ':' || key,
    -- "Come again later" must not put off somebody's "come now" that arrived meanwhile.
    job_key_mode => case when run_at > now() then 'preserve_run_at' else 'replace' end);
end $$;
alter function enqueue_task owner to aqueduct_provisioner;
revoke all on function enqueue_task from public;
grant execute on function enqueue_task to aqueduct_api, aqueduct_operator;

-- Edges listen on this channel; the payload is a cell id, or * for all. With its owner's rights: whoever may change a
-- tenant's noun need not be one who may read its namespaces (aqueduct_signup makes users).
create function notify_edge_of_tenant(tenant text) returns void
language sql security definer set search_path = public, pg_temp as $$
  select pg_notify('aqueduct_edge', cell_id) from
    (select distinct cell_id from namespaces where tenant_id = tenant and cell_id is not null and served) as touched
$$;
revoke all on function notify_edge_of_tenant from public;
grant execute on function notify_edge_of_tenant to aqueduct_api, aqueduct_signup, aqueduct_operator, aqueduct_provisioner;

create function namespaces_changed() returns trigger language plpgsql as $$
begin
  if (new.served or old.served) and
     (new.served, new.generation, new.spec, new.cell_id) is distinct from (old.served, old.generation, old.spec, old.cell_id) then
    perform pg_notify('aqueduct_edge', coalesce(new.cell_id, '*'));
  end if;
  return null;
end $$;
create trigger namespaces_changed after update on namespaces for each row execute function namespaces_changed();

create function tenant_noun_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then perform notify_edge_of_tenant(old.tenant_id);
  else perform notify_edge_of_tenant(new.tenant_id); end if;
  return null;
end $$;
create trigger grants_changed after insert or update or delete on namespace_grants for each row execute function tenant_noun_changed();
create trigger users_changed after insert or update on users for each row execute function tenant_noun_changed();
create trigger service_accounts_changed after insert or update on service_accounts for each row execute function tenant_noun_changed();
create trigger api_keys_changed after update on api_keys for each row
  when (old.disabled is distinct from new.disabled or old.deleted_at is distinct from new.deleted_at)
  execute function tenant_noun_changed();
create trigger certificates_changed after insert or update on certificates for each row
  when (new.purpose in ('tenant_client', 'edge_server') and new.tenant_id is not null) execute function tenant_noun_changed();

create function tenant_changed() returns trigger language plpgsql as $$
begin
  perform notify_edge_of_tenant(new.id);
  return null;
end $$;
create trigger tenants_changed after update on tenants for each row
  when (old.state is distinct from new.state) execute function tenant_changed();

create function every_edge_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('aqueduct_edge', '*');
  return null;
end $$;
create trigger signing_keys_changed after insert or update on signing_keys for each row execute function every_edge_changed();

create function nodes_changed() returns trigger language plpgsql as $$
begin
  if new.address is distinct from old.address or new.state is distinct from old.state then
    perform pg_notify('aqueduct_edge', new.cell_id);
  end if;
  return null;
end $$;
create trigger nodes_changed after update on nodes for each row execute function nodes_changed();
