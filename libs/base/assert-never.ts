/** Fails to compile while a case of a union is not handled, and throws should one arrive from outside all the same. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
