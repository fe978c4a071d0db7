-- breaking
-- An older version takes every certificate of the operator CA for an admin's.

-- Who runs the installation. A row stays for ever: a name that came back would bring its old certificates back to life.
create table operators (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  role text not null check (role in ('viewer', 'support', 'admin')),
  resource_version bigint not null default 1,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_by text,
  updated_at timestamptz,
  deleted_at timestamptz
);

alter table certificates add column operator_name text references operators check (operator_name is null or purpose = 'operator');

-- Whoever had a certificate was an admin. Those with none that is still good come as deleted: their names are used.
insert into operators (name, role, created_by, deleted_at)
  select common_name, 'admin', 'upgrade',
         case when bool_or(revoked_at is null and not_after > now()) then null else now() end
  from certificates
  where purpose = 'operator' and common_name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'
  group by common_name;
update certificates set operator_name = common_name
  where purpose = 'operator' and common_name in (select name from operators);
create index certificates_operator on certificates (operator_name, created_at desc) where purpose = 'operator';

grant select, insert on operators to aqueduct_operator;
grant update (role, resource_version, updated_by, updated_at, deleted_at) on operators to aqueduct_operator;
