import protojson from 'protobufjs/ext/protojson.js'
import protobuf from 'protobufjs/light.js'
import { coerceError, invalid, invalidField, type Problem } from '#libs/base'
import { fieldNamed, isWellKnown } from './fields.ts'

/** Deeper than anything in the contract, and far from what overflows a stack. */
const maxDepth = 32
/** A caller mends twenty mistakes at a time; a hostile body does not get an answer longer than itself. */
const maxProblems = 20
/** Standard and URL-safe alphabet, padded or not, as proto3 JSON allows. */
const base64 = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$/

/**
 * Reads canonical proto3 JSON, strictly: field names in lowerCamelCase or snake_case, enums by name or number, and
 * nothing that the contract does not know. The result is what decoding the wire form gives, so that handlers see one
 * shape on both transports (int64 as `Long`, defaults by prototype).
 * @throws AppError `invalid`, with a problem for each wrong field, named by its full path as the caller wrote it.
 */
export function fromJson(type: protobuf.Type, json: unknown): protobuf.Message {
  const problems: Problem[] = []
  checkMessage({ type, json, path: '', depth: 0, problems })
  if (problems.length > 0) throw invalid(problems)
  try {
    return type.decode(type.encode(protojson.fromJson(type, json)).finish())
  } catch (thrown) {
    // The walk above finds what it knows; the library is stricter in places (two members of one oneof).
    throw invalidField('request', explain(thrown))
  }
}

interface Place {
  readonly type: protobuf.Type
  readonly json: unknown
  /** Empty at the top. */
  readonly path: string
  readonly depth: number
  readonly problems: Problem[]
}

function checkMessage({ type, json, path, depth, problems }: Place): void {
  if (depth > maxDepth) return report(problems, path, `is nested deeper than ${maxDepth} levels`)
  if (!isObject(json)) return report(problems, path || 'request', 'must be an object')
  const seen = new Map<protobuf.Field | protobuf.OneOf, string>()
  for (const [key, value] of Object.entries(json)) {
    const at = path === '' ? shown(key) : `${path}.${shown(key)}`
    const field = fieldNamed(type, key)
    if (field === undefined) {
      report(problems, at, 'unknown field')
      continue
    }
    const slot = value === null ? field : (field.partOf ?? field)
    const earlier = seen.get(slot)
    if (earlier !== undefined) report(problems, at, `cannot be given together with ${earlier}`)
    seen.set(slot, shown(key))
    // Null means unset, as proto3 JSON has it.
    if (value !== null) checkField({ field, json: value, path: at, depth, problems })
  }
}

interface FieldPlace extends Omit<Place, 'type'> {
  readonly field: protobuf.Field
}

function checkField(place: FieldPlace): void {
  const { field, json, path, problems } = place
  if (field.map) {
    if (!isObject(json)) return report(problems, path, 'must be an object')
    for (const [key, value] of Object.entries(json)) {
      const at = `${path}[${JSON.stringify(shown(key))}]`
      // No key of a real tenant, and poison for every object that it is copied into.
      if (key === '__proto__') report(problems, at, 'is not a usable key')
      else checkValue({ ...place, json: value, path: at }, (leaf) => ({ [key]: leaf }))
    }
    return
  }
  if (field.repeated) {
    if (!Array.isArray(json)) return report(problems, path, 'must be an array')
    for (const [index, value] of json.entries()) {
      checkValue({ ...place, json: value, path: `${path}[${index}]` }, (leaf) => [leaf])
    }
    return
  }
  checkValue(place, (leaf) => leaf)
}

/** `wrap` puts a single value back into the list or map that it came from, so that the library can judge it alone. */
function checkValue(place: FieldPlace, wrap: (leaf: unknown) => unknown): void {
  const { field, json, path, depth, problems } = place
  if (problems.length >= maxProblems) return
  if (field.resolvedType instanceof protobuf.Type && !isWellKnown(field.resolvedType)) {
    return checkMessage({ type: field.resolvedType, json, path, depth: depth + 1, problems })
  }
  if (field.type === 'bytes' && !(typeof json === 'string' && base64.test(json))) {
    return report(problems, path, 'must be base64')
  }
  if (field.resolvedType instanceof protobuf.Enum) return checkEnum(field.resolvedType, place)
  // Judged here, since the library prints what it refuses, however deep that is.
  if (typeof json === 'object' && field.resolvedType === null) return report(problems, path, `expected ${field.type}`)
  if (isDeep(json, maxDepth)) return report(problems, path, `is nested deeper than ${maxDepth} levels`)
  const owner = field.parent
  if (!(owner instanceof protobuf.Type)) throw new Error(`${field.fullName} stands in no message`)
  try {
    protojson.fromJson(owner, { [field.name]: wrap(json) })
  } catch (thrown) {
    report(problems, path, explain(thrown, json))
  }
}

function checkEnum(type: protobuf.Enum, { json, path, problems }: FieldPlace): void {
  const known = typeof json === 'string' ? Object.hasOwn(type.values, json) : isEnumNumber(type, json)
  if (!known) report(problems, path, `must be one of ${Object.keys(type.values).join(', ')}`)
}

function isEnumNumber(type: protobuf.Enum, json: unknown): boolean {
  return typeof json === 'number' && Object.hasOwn(type.valuesById, json)
}

function report(problems: Problem[], field: string, message: string): void {
  if (problems.length < maxProblems) problems.push({ field, message })
}

/** The library says `<full name>: <what>: <value>`: we name the field better, and the caller knows the value. */
function explain(thrown: unknown, json?: unknown): string {
  const text = coerceError(thrown).message
  const value = `: ${JSON.stringify(json)}`
  const withoutValue = text.endsWith(value) ? text.slice(0, -value.length) : text
  return withoutValue.replace(/^\.?[\w.]+: /, '')
}

function isDeep(json: unknown, levels: number): boolean {
  if (typeof json !== 'object' || json === null) return false
  return levels === 0 || Object.values(json).some((value) => isDeep(value, levels - 1))
}

/** What a caller invented is echoed, but not at any length. */
function shown(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
