-- Users that a tenant's identity provider manages (SCIM 2.0): what it calls them, and whom it has locked out.
alter table users add column scim_external_id text;
-- Who is deactivated keeps what it has, and gets in nowhere.
alter table users add column deactivated_at timestamptz;
create unique index users_scim on users (tenant_id, scim_external_id) where deleted_at is null;
create index user_groups_kind on user_groups (tenant_id, kind, id) where deleted_at is null;
