import type protobuf from 'protobufjs/light.js'
import { invalid, invalidField, type Problem } from '#libs/base'
import { fieldNamed, fromJson, isWellKnown, type Rpc } from '#libs/cloud-api'

type Json = Record<string, unknown>

/** What of an HTTP request an rpc's message is made of. */
export interface RestRequest {
  /** Values of the path's variables, decoded, in the order of the path. */
  readonly variables: readonly string[]
  /** Everything behind the question mark. */
  readonly query: string
  /** The text of the body; empty when there was none. */
  readonly body: string
}

/** The variables of a path as the contract writes them: `['namespace', 'spec.name']`. */
export function pathVariables(rpc: Rpc): readonly string[] {
  return Array.from(rpc.path.matchAll(/\{([^}]+)\}/g), (match) => match[1] ?? '')
}

/**
 * Makes the request message of path, query and body, as the contract's annotations say: a POST takes everything that
 * the path does not name from its body; GET and DELETE have no body, and take it from the query.
 * @throws AppError `invalid`, naming what is wrong as the caller wrote it.
 */
export function readRestRequest(rpc: Rpc, { variables, query, body }: RestRequest): protobuf.Message {
  const json = rpc.verb === 'POST' ? readBody(body) : {}
  const parameters = new URLSearchParams(query)
  if (rpc.verb === 'POST') {
    const first = parameters.keys().next()
    if (!first.done)
      throw invalidField(first.value.slice(0, 100), 'unknown query parameter: a POST is given in its body')
  } else {
    if (body.trim() !== '') throw invalidField('body', `a ${rpc.verb} has none: give fields as query parameters`)
    readQuery(rpc.requestType, parameters, json)
  }
  for (const [index, path] of pathVariables(rpc).entries()) {
    const value = variables[index] ?? ''
    if (value === '') throw invalidField(path, 'must not be empty in the path')
    setPathVariable(rpc.requestType, json, path, value)
  }
  return fromJson(rpc.requestType, json)
}

function readBody(body: string): Json {
  // grpc-gateway takes an empty body as an empty message, and so do its clients.
  if (body.trim() === '') return {}
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    throw invalidField('body', 'is not JSON')
  }
  if (!isJson(json)) throw invalidField('body', 'must be a JSON object')
  return json
}

/** The path decides; a body that names the same field must agree with it. */
function setPathVariable(type: protobuf.Type, json: Json, path: string, value: string): void {
  const place = descend(type, json, path)
  // A message in the body's way is something else than a message: fromJson will say so.
  if (place === undefined) return
  const given = place.parent[place.key]
  if (given !== undefined && given !== null && given !== '' && given !== value) {
    throw invalidField(path, `differs from the path, which says ${JSON.stringify(value.slice(0, 100))}`)
  }
  place.parent[place.key] = value
}

interface Slot {
  readonly parent: Json
  /** As the caller wrote it when they did, else as the path writes it. */
  readonly key: string
  readonly field: protobuf.Field
}

/** Finds the place of a dotted field path, making messages on the way. Undefined when the path leads nowhere. */
function descend(type: protobuf.Type, json: Json, path: string): Slot | undefined {
  const [head = '', ...rest] = path.split('.')
  const field = fieldNamed(type, head)
  if (field === undefined) return undefined
  const key = Object.keys(json).find((name) => fieldNamed(type, name) === field) ?? head
  if (rest.length === 0) return { parent: json, key, field }
  const next = messageOf(field)
  if (next === undefined) return undefined
  json[key] ??= {}
  const inner = json[key]
  return isJson(inner) ? descend(next, inner, rest.join('.')) : undefined
}

/** The message to descend into; undefined for scalars, lists, maps, and messages that JSON writes as text. */
function messageOf(field: protobuf.Field): protobuf.Type | undefined {
  const type = field.resolvedType
  if (field.repeated || field.map || type === null || !('fieldsArray' in type) || isWellKnown(type)) return undefined
  return type
}

function readQuery(type: protobuf.Type, parameters: URLSearchParams, json: Json): void {
  const problems: Problem[] = []
  for (const name of new Set(parameters.keys())) {
    const field = name.slice(0, 100)
    const slot = descend(type, json, name)
    if (slot === undefined || slot.field.map || messageOf(slot.field) !== undefined) {
      problems.push({ field, message: 'unknown query parameter' })
      continue
    }
    const values = parameters.getAll(name).map((text) => leafOf(slot.field, text))
    const earlier = slot.parent[slot.key]
    if (slot.field.repeated) slot.parent[slot.key] = [...(Array.isArray(earlier) ? earlier : []), ...values]
    else if (values.length > 1 || earlier !== undefined) problems.push({ field, message: 'is given more than once' })
    else slot.parent[slot.key] = values[0]
    if (problems.length >= 20) break
  }
  if (problems.length > 0) throw invalid(problems)
}

/** Text as JSON would hold it; what does not fit stays text, and fromJson finds it. */
function leafOf(field: protobuf.Field, text: string): unknown {
  if (field.type === 'bool' && (text === 'true' || text === 'false')) return text === 'true'
  if (field.resolvedType !== null && 'valuesById' in field.resolvedType && /^\d{1,9}$/.test(text)) return Number(text)
  return text
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
