-- Whoever administers a namespace sees the service accounts that are scoped to it, and their keys.
create index service_accounts_namespace on service_accounts (tenant_id, scoped_namespace_id) where deleted_at is null;
