import { type ServiceError, status } from '@grpc/grpc-js'
import { coerceError } from '#libs/base'
import { CellError, type CellErrorKind } from './cell-client.ts'

/** gRPC status code → kind. The one place that knows the codes; what is not named is `unknown`. */
const kinds: Readonly<Record<number, CellErrorKind>> = {
  [status.NOT_FOUND]: 'not_found',
  [status.ALREADY_EXISTS]: 'exists',
  [status.UNAVAILABLE]: 'unavailable',
  [status.DEADLINE_EXCEEDED]: 'unavailable',
  [status.RESOURCE_EXHAUSTED]: 'unavailable',
  [status.ABORTED]: 'unavailable',
  [status.CANCELLED]: 'unavailable',
  [status.PERMISSION_DENIED]: 'denied',
  [status.UNAUTHENTICATED]: 'denied',
  [status.INVALID_ARGUMENT]: 'invalid',
  [status.FAILED_PRECONDITION]: 'invalid',
  [status.OUT_OF_RANGE]: 'invalid',
}

/** @param doing What was tried, as in "registering the namespace x". */
export function cellError(doing: string, thrown: unknown): CellError {
  const error = coerceError(thrown)
  const kind = isServiceError(error) ? (kinds[error.code] ?? 'unknown') : 'unknown'
  const said = isServiceError(error) ? `${error.details} (${status[error.code] ?? error.code})` : error.message
  return new CellError(kind, `${doing}: ${said}`, { cause: error })
}

function isServiceError(error: Error): error is ServiceError {
  return 'code' in error && typeof error.code === 'number' && 'details' in error
}
