-- What we sign with, and what we have signed. Private parts are sealed with the master key before they come here.

create table signing_keys (
  kid text primary key,
  purpose text not null check (purpose in ('api_key', 'probe', 'cell')),
  -- The cell whose frontends trust the key; null for the others.
  cell_id text,
  public_jwk jsonb not null,
  private_jwk_sealed text not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz,
  check ((purpose = 'cell') = (cell_id is not null))
);
-- One live key a purpose (and cell): two processes that bootstrap at once agree on the first.
create unique index signing_keys_live on signing_keys (purpose, coalesce(cell_id, '')) where retired_at is null;

create table certificate_authorities (
  id text primary key,
  purpose text not null check (purpose in ('server', 'operator', 'node', 'cell', 'tenant')),
  tenant_id text references tenants,
  cell_id text,
  issuer_id text references certificate_authorities,
  certificate_pem text not null,
  key_sealed text not null,
  not_after timestamptz not null,
  created_at timestamptz not null default now(),
  check ((purpose = 'tenant') = (tenant_id is not null)),
  check ((purpose = 'cell') = (cell_id is not null))
);
create unique index certificate_authorities_owner
  on certificate_authorities (purpose, coalesce(tenant_id, ''), coalesce(cell_id, ''));

create table certificates (
  id text primary key,
  authority_id text not null references certificate_authorities,
  purpose text not null check (purpose in ('tenant_client', 'operator', 'edge_server', 'api_server', 'node')),
  tenant_id text references tenants,
  namespace_id text,
  node_id text,
  common_name text not null,
  serial_number text not null,
  fingerprint text not null unique,
  certificate_pem text not null,
  -- Only of the certificates that we serve with ourselves; a tenant's or operator's key is never kept.
  key_sealed text,
  not_before timestamptz not null,
  not_after timestamptz not null,
  issued_by text not null,
  revoked_at timestamptz,
  revoked_by text,
  created_at timestamptz not null default now()
);
create index certificates_tenant on certificates (tenant_id, created_at desc) where purpose = 'tenant_client';
create index certificates_revoked on certificates (tenant_id) where revoked_at is not null;
create index certificates_namespace on certificates (namespace_id, not_after desc) where purpose = 'edge_server';
create index certificates_node on certificates (node_id, not_after desc) where purpose = 'node';
