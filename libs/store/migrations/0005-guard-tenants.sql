-- The second wall. The roles are made by the migrator before the first migration (see roles.ts); none owns a table.
--   aqueduct_api          public API: one tenant at a time, the one named by the setting aqueduct.tenant_id
--   aqueduct_signup       waitlist and invitations: before there is a tenant
--   aqueduct_operator     operator API: all tenants
--   aqueduct_provisioner  reconcilers: all tenants, only what they write
--   aqueduct_edge         discovery: reads, and never waits for anybody

do $$
declare
  owned text;
begin
  foreach owned in array array['users', 'service_accounts', 'api_keys', 'namespaces', 'namespace_grants', 'operations',
                               'certificates', 'certificate_authorities'] loop
    execute format('alter table %I enable row level security', owned);
    execute format('create policy own_tenant on %I to aqueduct_api using (tenant_id = current_setting(''aqueduct.tenant_id'', true))
      with check (tenant_id = current_setting(''aqueduct.tenant_id'', true))', owned);
    execute format('create policy every_tenant on %I to aqueduct_operator, aqueduct_provisioner, aqueduct_edge, aqueduct_signup
      using (true) with check (true)', owned);
  end loop;
end $$;

alter table tenants enable row level security;
create policy own_tenant on tenants to aqueduct_api using (id = current_setting('aqueduct.tenant_id', true));
create policy every_tenant on tenants to aqueduct_operator, aqueduct_provisioner, aqueduct_edge, aqueduct_signup
  using (true) with check (true);

revoke all on schema public from public;
grant usage on schema public to aqueduct_api, aqueduct_signup, aqueduct_operator, aqueduct_provisioner, aqueduct_edge;

grant select on tenants to aqueduct_api;
grant select, insert, update on users, service_accounts, api_keys, operations to aqueduct_api;
grant select, insert on namespaces to aqueduct_api;
-- Intent is the API's, everything observed and decided is the provisioner's.
grant update (spec, tags, state, resource_version, generation, failures, waiting_for, updated_at) on namespaces to aqueduct_api;
grant select, insert, update, delete on namespace_grants to aqueduct_api;
grant select on certificates, signing_keys to aqueduct_api;

grant select, insert on waitlist_entries, tenants, users, api_keys to aqueduct_signup;
grant update (applications) on waitlist_entries to aqueduct_signup;
grant select, update on invitations to aqueduct_signup;
grant select on signing_keys to aqueduct_signup;

grant select, insert, update on waitlist_entries, invitations, tenants, certificates, certificate_authorities to aqueduct_operator;
grant select on users, service_accounts, api_keys, namespaces, namespace_grants, operations, cells, nodes, signing_keys to aqueduct_operator;

grant select, insert, update on cells, nodes, signing_keys, certificates, certificate_authorities to aqueduct_provisioner;
grant select, update on namespaces, operations to aqueduct_provisioner;
grant select, delete on namespace_grants to aqueduct_provisioner;
grant select, update on service_accounts, api_keys to aqueduct_provisioner;
grant select on tenants, users to aqueduct_provisioner;
grant delete on certificates to aqueduct_provisioner;

grant select on tenants, users, service_accounts, api_keys, namespaces, namespace_grants, cells, nodes, signing_keys,
  certificates, certificate_authorities to aqueduct_edge;

-- Each process asks at its start whether it fits the schema.
grant select on schema_migrations to aqueduct_api, aqueduct_signup, aqueduct_operator, aqueduct_provisioner, aqueduct_edge;
