/**
 * Every way in which a request can end badly. Closed on purpose: `apps/api/transport` maps each code to one gRPC
 * status and one HTTP status, and the compiler insists that a new code gets both.
 */
export type ErrorCode =
  | 'not_found'
  | 'already_exists'
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'precondition'
  | 'exhausted'
  | 'unimplemented'
  | 'unavailable'
  | 'internal'

/** One thing that is wrong with a request: the field's path as the caller wrote it, and what to do about it. */
export interface Problem {
  readonly field: string
  readonly message: string
}

export interface AppErrorOptions {
  /** For the log only. Never a secret: what stands here is written out as structured fields. */
  readonly context?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
  /** What is wrong field by field, for `invalid`. */
  readonly problems?: readonly Problem[]
}

/**
 * The one error that reaches callers. `message` is for them and is safe to show; `context` and `cause` stay inside.
 */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly context: Readonly<Record<string, unknown>>
  readonly problems: readonly Problem[]

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.context = options.context ?? {}
    this.problems = options.problems ?? []
  }

  /** Whether the same request may succeed later without a change by the caller. */
  get retryable(): boolean {
    return retryableByCode[this.code]
  }
}

const retryableByCode: Readonly<Record<ErrorCode, boolean>> = {
  not_found: false,
  already_exists: false,
  invalid: false,
  unauthenticated: false,
  forbidden: false,
  precondition: false,
  exhausted: true,
  unimplemented: false,
  unavailable: true,
  internal: false,
}

/** The noun does not exist, or the caller may not know that it does: both look the same. */
export function notFound(noun: string, id: string): AppError {
  return new AppError('not_found', `${noun} ${JSON.stringify(id)} not found`)
}

/** Bad input. Names every field that is wrong, in one answer, so that a caller mends the request once. */
export function invalid(problems: readonly Problem[]): AppError {
  const text = problems.map((problem) => `${problem.field}: ${problem.message}`).join('; ')
  return new AppError('invalid', text, { problems })
}

/** Bad input in one field. */
export function invalidField(field: string, message: string): AppError {
  return invalid([{ field, message }])
}

/** Makes an `Error` of whatever was thrown, so that `catch` never loses a message. */
export function coerceError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
