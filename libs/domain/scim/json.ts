import { ScimError } from './scim-error.ts'

export type Json = Readonly<Record<string, unknown>>

/** @throws ScimError `invalidSyntax` */
export function objectOf(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new ScimError('invalidSyntax', `${what} must be a JSON object`)
}

/** Attribute names have no case (RFC 7643, 2.1). */
export function attribute(json: Json, name: string): unknown {
  const key = Object.keys(json).find((each) => each.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : json[key]
}

/** @returns undefined when it is absent, null, or the empty text. @throws ScimError `invalidValue` */
export function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && value.length <= 256 && !value.includes('\0')) return value
  throw new ScimError('invalidValue', `${name} must be a text of at most 256 characters`)
}

/** Some identity providers write booleans as text. @throws ScimError `invalidValue` */
export function booleanOf(value: unknown, name: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  if (word === 'true' || word === 'false') return word === 'true'
  throw new ScimError('invalidValue', `${name} must be true or false`)
}
