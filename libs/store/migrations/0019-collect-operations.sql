-- Operations that ended long ago are nobody's business any more, and each may hold a request of many kilobytes.
create index operations_ended on operations (finished_at) where finished_at is not null;
grant delete on operations to aqueduct_provisioner;
