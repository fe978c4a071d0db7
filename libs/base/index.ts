export { assertNever } from './assert-never.ts'
export { type BackoffOptions, backoffMs } from './backoff.ts'
export { type Clock, systemClock } from './clock.ts'
export {
  AppError,
  type AppErrorOptions,
  coerceError,
  type ErrorCode,
  invalid,
  invalidField,
  notFound,
  type Problem,
} from './errors.ts'
export { type IdPrefix, newId, newTenantId } from './ids.ts'
export { compareVersions, coreVersion } from './version.ts'
