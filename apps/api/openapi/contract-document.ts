import type protobuf from 'protobufjs/light.js'
import { fieldNamed, isWellKnown, type Rpc, rpcs } from '#libs/cloud-api'
import { pathVariables } from '../transport/rest-request.ts'
import { errorsOf } from './error-responses.ts'
import { answerHeaders, dryRunParameter } from './headers.ts'
import { type Schema, Schemas } from './schemas.ts'
import { tagOf } from './tags.ts'

/** The part of an OpenAPI 3.1 document that the contract describes. */
export interface ContractDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly schemas: Readonly<Record<string, Schema>>
  readonly tags: readonly { readonly name: string; readonly description: string }[]
}

/**
 * Describes every rpc, its parameters, its messages, and its texts.
 * @param served names of the rpcs that have a handler; the others say that they answer 501.
 */
export function contractDocument(served: ReadonlySet<string>): ContractDocument {
  const schemas = new Schemas()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const rpc of rpcs) {
    // Two paths that differ in the names of their variables alone are one path to OpenAPI.
    const known = Object.keys(paths).find((path) => shapeOf(path) === shapeOf(rpc.path)) ?? rpc.path
    const path = paths[known] ?? {}
    path[rpc.verb.toLowerCase()] = operation(rpc, variablesIn(known), schemas, served.has(rpc.name))
    paths[known] = path
  }
  const tags = [...new Set(rpcs.flatMap((rpc) => rpc.tags))].map(tagOf)
  return { paths, schemas: schemas.all(), tags }
}

function shapeOf(path: string): string {
  return path.replace(/\{[^}]+\}/g, '{}')
}

function variablesIn(path: string): readonly string[] {
  return Array.from(path.matchAll(/\{([^}]+)\}/g), (match) => match[1] ?? '')
}

function operation(
  rpc: Rpc,
  variables: readonly string[],
  schemas: Schemas,
  isServed: boolean,
): Record<string, unknown> {
  const body = rpc.verb === 'POST' ? { requestBody: requestBody(rpc, schemas) } : {}
  return {
    operationId: rpc.name,
    tags: rpc.tags,
    ...(rpc.summary === '' ? {} : { summary: rpc.summary }),
    ...(rpc.description === '' ? {} : { description: rpc.description }),
    parameters: [...parameters(rpc, variables, schemas), ...(rpc.kind === 'mutation' ? [dryRunParameter] : [])],
    ...body,
    responses: {
      200: {
        description: 'OK',
        headers: answerHeaders,
        content: { 'application/json': { schema: schemas.reference(rpc.responseType) } },
      },
      ...errorsOf(400, 401, 403, 404, ...(rpc.kind === 'mutation' ? ([409] as const) : []), 429, 503),
      ...(isServed ? {} : errorsOf(501)),
    },
    security: [{ bearer: [] }],
  }
}

function requestBody(rpc: Rpc, schemas: Schemas): Record<string, unknown> {
  return { required: true, content: { 'application/json': { schema: schemas.reference(rpc.requestType) } } }
}

/** @param names of the path's variables in the document. */
function parameters(rpc: Rpc, names: readonly string[], schemas: Schemas): readonly Record<string, unknown>[] {
  const variables = pathVariables(rpc)
  const inPath = variables.map((field, index) => ({
    name: names[index] ?? field,
    in: 'path',
    required: true,
    ...(names[index] === field ? {} : { description: `The field \`${field}\` of the request.` }),
    schema: { ...schemaAt(rpc.requestType, field, schemas), minLength: 1 },
  }))
  if (rpc.verb === 'POST') return inPath
  const inQuery = leaves(rpc.requestType, '')
    .filter(({ path }) => !variables.includes(path))
    .map(({ path: name, field }) => ({ name, in: 'query', required: false, schema: schemas.field(field) }))
  return [...inPath, ...inQuery]
}

interface Leaf {
  readonly path: string
  readonly field: protobuf.Field
}

/** The fields that a query can carry: nested messages are flattened with dots. */
function leaves(type: protobuf.Type, prefix: string): readonly Leaf[] {
  return type.fieldsArray.flatMap((field) => {
    const path = prefix + field.protoName
    const inner = field.resolvedType
    if (inner === null || !('fieldsArray' in inner) || isWellKnown(inner)) return [{ path, field }]
    return field.repeated || 'keyType' in field ? [] : leaves(inner, `${path}.`)
  })
}

function schemaAt(type: protobuf.Type, path: string, schemas: Schemas): Schema {
  const [head = '', ...rest] = path.split('.')
  const field = fieldNamed(type, head)
  if (field === undefined) throw new Error(`${type.fullName} has no field ${path}`)
  if (rest.length === 0) return schemas.field(field)
  const inner = field.resolvedType
  if (inner === null || !('fieldsArray' in inner)) throw new Error(`${field.fullName} is no message`)
  return schemaAt(inner, rest.join('.'), schemas)
}
