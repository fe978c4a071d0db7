export { Database, type DatabaseOptions, type Executor, type Trx } from './database.ts'
export {
  assertLeaseHolds,
  type LeasedTable,
  releaseLease,
  StaleWriterError,
  takeLease,
  withLease,
} from './lease.ts'
export { NewerSchemaError } from './migration/known-migrations.ts'
export { type MigrateOptions, migrate } from './migration/migrate.ts'
export { type DatabaseRole, roleUrl } from './migration/roles.ts'
export { assertSchemaFits } from './migration/schema-guard.ts'
export { staleVersion } from './stale-version.ts'
export { isDatabaseUnavailable } from './unavailable.ts'
