/** Why a sealed value does not open: it is not one, another master key sealed it, or it was altered or moved. */
export type SealErrorKind = 'malformed' | 'wrong_key' | 'altered'

/** For the log and the operator; it says what to do, and holds neither plaintext nor key. */
export class SealError extends Error {
  override readonly name = 'SealError'
  readonly kind: SealErrorKind

  constructor(kind: SealErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}
