-- Groups of users, roles that tenants make themselves, and how an invited user comes to a first API key.

create table user_groups (
  id text primary key,
  tenant_id text not null references tenants,
  kind text not null check (kind in ('cloud', 'google', 'scim')),
  display_name text not null,
  -- Where the group comes from: the address of a Google group, the identity provider's own id of a SCIM group.
  google_email text,
  scim_idp_id text,
  account_role text not null default 'none',
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  check ((kind = 'google') = (google_email is not null)),
  check ((kind = 'scim') = (scim_idp_id is not null))
);
create unique index user_groups_name on user_groups (tenant_id, display_name) where deleted_at is null;
create unique index user_groups_google on user_groups (tenant_id, lower(google_email)) where deleted_at is null;
create unique index user_groups_scim on user_groups (tenant_id, scim_idp_id) where deleted_at is null;

create table user_group_members (
  tenant_id text not null references tenants,
  group_id text not null references user_groups,
  user_id text not null references users,
  created_at timestamptz not null default now(),
  primary key (group_id, user_id)
);
create index user_group_members_user on user_group_members (tenant_id, user_id);

create table custom_roles (
  id text primary key,
  tenant_id text not null references tenants,
  name text not null,
  description text not null default '',
  permissions jsonb not null,
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz
);
create unique index custom_roles_name on custom_roles (tenant_id, name) where deleted_at is null;
create index custom_roles_page on custom_roles (tenant_id, id) where deleted_at is null;

-- Of users, groups and service accounts.
create table principal_custom_roles (
  tenant_id text not null references tenants,
  principal_id text not null,
  role_id text not null references custom_roles,
  created_at timestamptz not null default now(),
  primary key (principal_id, role_id)
);
create index principal_custom_roles_role on principal_custom_roles (role_id);

-- Who was invited shows the token once, and gets the first API key for it.
create table user_invitations (
  id text primary key,
  tenant_id text not null references tenants,
  user_id text not null references users,
  -- SHA-256 of the token: the token itself is in the mail alone.
  token_hash bytea not null unique,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  created_by text not null,
  created_at timestamptz not null default now()
);
create index user_invitations_user on user_invitations (tenant_id, user_id, created_at desc);

-- PEM of the CA whose clients may read the account's metrics, byte for byte; empty: metrics are off.
alter table tenants add column metrics_client_ca text not null default '';

do $$
declare
  owned text;
begin
  foreach owned in array array['user_groups', 'user_group_members', 'custom_roles', 'principal_custom_roles',
                               'user_invitations'] loop
    execute format('alter table %I enable row level security', owned);
    execute format('create policy own_tenant on %I to aqueduct_api using (tenant_id = current_setting(''aqueduct.tenant_id'', true))
      with check (tenant_id = current_setting(''aqueduct.tenant_id'', true))', owned);
    execute format('create policy every_tenant on %I to aqueduct_operator, aqueduct_provisioner, aqueduct_edge, aqueduct_signup
      using (true) with check (true)', owned);
  end loop;
end $$;

grant select, insert, update on user_groups, custom_roles to aqueduct_api;
grant select, insert, delete on user_group_members, principal_custom_roles to aqueduct_api;
grant select, insert on user_invitations to aqueduct_api;
grant update (metrics_client_ca, resource_version, updated_at) on tenants to aqueduct_api;
grant select, update on user_invitations to aqueduct_signup;
grant select on user_groups, user_group_members, custom_roles, principal_custom_roles to aqueduct_operator, aqueduct_edge;
grant select on user_groups, user_group_members to aqueduct_provisioner;
grant delete on principal_custom_roles to aqueduct_provisioner;

create trigger user_groups_changed after update on user_groups for each row
  when (old.account_role is distinct from new.account_role or old.deleted_at is distinct from new.deleted_at)
  execute function tenant_noun_changed();
create trigger members_changed after insert or update or delete on user_group_members for each row
  execute function tenant_noun_changed();
