-- Who our customers are and how they come in: waitlist, invitation, tenant, its people and programs.
-- Every table that a tenant owns has row-level security; see 0005 for the policies.

create table tenants (
  id text primary key check (id ~ '^[a-z][a-z0-9]{4,}$'),
  name text not null,
  state text not null default 'active' check (state in ('active', 'suspended')),
  state_reason text not null default '',
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table waitlist_entries (
  id text primary key,
  number bigint generated always as identity unique,
  email text not null,
  company text not null,
  use_case text not null,
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'rejected')),
  decided_by text,
  decided_at timestamptz,
  -- How often this person applied: repeats count into the positions that applicants are told (see waitlist/store.ts).
  applications bigint not null default 1,
  created_at timestamptz not null default now()
);
-- One entry a person: joining again finds the first one.
create unique index waitlist_entries_email on waitlist_entries (lower(email));
create index waitlist_entries_waiting on waitlist_entries (number) where state = 'waiting';

create table invitations (
  id text primary key,
  waitlist_entry_id text not null references waitlist_entries,
  email text not null,
  company text not null,
  -- SHA-256 of the token: the token itself is in the mail alone.
  token_hash bytea not null unique,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  tenant_id text references tenants,
  created_by text not null,
  created_at timestamptz not null default now()
);
create index invitations_entry on invitations (waitlist_entry_id);

create table users (
  id text primary key,
  tenant_id text not null references tenants,
  email text not null,
  account_role text not null,
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz
);
create unique index users_email on users (tenant_id, lower(email)) where deleted_at is null;
create index users_page on users (tenant_id, id) where deleted_at is null;

create table service_accounts (
  id text primary key,
  tenant_id text not null references tenants,
  name text not null,
  description text not null default '',
  account_role text not null,
  -- Set for a namespace-scoped service account, whose one grant stands in namespace_grants.
  scoped_namespace_id text,
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz
);
create unique index service_accounts_name on service_accounts (tenant_id, name) where deleted_at is null;
create index service_accounts_page on service_accounts (tenant_id, id) where deleted_at is null;

create table api_keys (
  id text primary key,
  tenant_id text not null references tenants,
  owner_kind text not null check (owner_kind in ('user', 'service_account')),
  owner_id text not null,
  display_name text not null,
  description text not null default '',
  disabled boolean not null default false,
  expires_at timestamptz not null,
  resource_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz,
  deleted_at timestamptz
);
create index api_keys_page on api_keys (tenant_id, id) where deleted_at is null;
create index api_keys_owner on api_keys (tenant_id, owner_id, id) where deleted_at is null;
-- What the edge must refuse although the signature is good and the token has not expired.
create index api_keys_revoked on api_keys (tenant_id, expires_at) where deleted_at is not null or disabled;
