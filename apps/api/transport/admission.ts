import type { AppError } from '#libs/base'

/** What is known of a call when only its headers are there. */
export interface Admission {
  /** Why the call is not worth reading; it is answered with this. */
  readonly refusal?: AppError
  /** Headers of the answer over REST, whatever it will be, and metadata of it over gRPC. Lower case. */
  readonly headers?: Readonly<Record<string, string>>
}
