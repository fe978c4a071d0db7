/** The `scimType` of an error (RFC 7644, 3.12). */
export type ScimErrorType =
  | 'invalidFilter'
  | 'invalidPath'
  | 'invalidSyntax'
  | 'invalidValue'
  | 'mutability'
  | 'noTarget'
  | 'uniqueness'

/** A request that SCIM's own rules refuse: always 400, but `uniqueness`, which is 409. */
export class ScimError extends Error {
  override readonly name = 'ScimError'
  readonly scimType: ScimErrorType

  constructor(scimType: ScimErrorType, message: string) {
    super(message)
    this.scimType = scimType
  }
}
