import { AppError, type ErrorCode, type Problem } from '#libs/base'

/** `google.rpc.Status`, before either transport dresses it. */
export interface Status {
  /** The gRPC status code. */
  readonly grpcCode: number
  /** Its name, as metrics and logs show it. */
  readonly name: string
  readonly httpStatus: number
  readonly message: string
  readonly problems: readonly Problem[]
  /** When to try again, for `exhausted`: from the error's context, else a second. */
  readonly retryAfterSeconds?: number
}

interface Mapping {
  readonly grpcCode: number
  readonly name: string
  readonly httpStatus: number
}

/**
 * The one place where an error gets its numbers. HTTP follows grpc-gateway's table, except that nothing is 412.
 * A conflict of versions is a `precondition`: clients retry ABORTED and UNKNOWN by themselves, which mends nothing here.
 */
const mappings: Readonly<Record<ErrorCode, Mapping>> = {
  invalid: { grpcCode: 3, name: 'INVALID_ARGUMENT', httpStatus: 400 },
  not_found: { grpcCode: 5, name: 'NOT_FOUND', httpStatus: 404 },
  already_exists: { grpcCode: 6, name: 'ALREADY_EXISTS', httpStatus: 409 },
  forbidden: { grpcCode: 7, name: 'PERMISSION_DENIED', httpStatus: 403 },
  exhausted: { grpcCode: 8, name: 'RESOURCE_EXHAUSTED', httpStatus: 429 },
  precondition: { grpcCode: 9, name: 'FAILED_PRECONDITION', httpStatus: 400 },
  unimplemented: { grpcCode: 12, name: 'UNIMPLEMENTED', httpStatus: 501 },
  internal: { grpcCode: 13, name: 'INTERNAL', httpStatus: 500 },
  unavailable: { grpcCode: 14, name: 'UNAVAILABLE', httpStatus: 503 },
  unauthenticated: { grpcCode: 16, name: 'UNAUTHENTICATED', httpStatus: 401 },
}

/** A gRPC message travels in a header: what is longer would end the stream instead of explaining itself. */
const maxMessageLength = 2048
const maxProblems = 20

/** What the caller is told. Anything but an AppError tells them nothing except where to look. */
export function statusOf(thrown: unknown, requestId: string): Status {
  if (!(thrown instanceof AppError)) {
    return { ...mappings.internal, message: `internal error; request id ${requestId}`, problems: [] }
  }
  return {
    ...mappings[thrown.code],
    ...(thrown.code === 'exhausted' ? { retryAfterSeconds: retryAfter(thrown) } : {}),
    message: clip(thrown.message),
    problems: thrown.problems
      .slice(0, maxProblems)
      .map(({ field, message }) => ({ field: clip(field, 256), message: clip(message, 512) })),
  }
}

/** The body of an HTTP error: `google.rpc.Status` as proto3 JSON. */
export function statusJson({ grpcCode, message, problems }: Status): Record<string, unknown> {
  if (problems.length === 0) return { code: grpcCode, message }
  const fieldViolations = problems.map(({ field, message: description }) => ({ field, description }))
  return {
    code: grpcCode,
    message,
    details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations }],
  }
}

function retryAfter(error: AppError): number {
  const { retryAfterSeconds } = error.context
  return typeof retryAfterSeconds === 'number' ? Math.max(1, Math.ceil(retryAfterSeconds)) : 1
}

function clip(text: string, length = maxMessageLength): string {
  const whole = text.length > length ? `${text.slice(0, length - 1)}…` : text
  // Half a surrogate pair cannot be percent-encoded into a trailer.
  return whole.toWellFormed()
}
