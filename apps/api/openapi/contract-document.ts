import type protobuf from 'protobufjs/light.js'
import { fieldNamed, isWellKnown, type Rpc, rpcs } from '#libs/cloud-api'
import { pathVariables } from '../transport/rest-request.ts'
import { type Schema, Schemas } from './schemas.ts'

/** The part of an OpenAPI 3.1 document that the contract describes. */
export interface ContractDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly schemas: Readonly<Record<string, Schema>>
  readonly tags: readonly { readonly name: string }[]
}

const errorResponse = { $ref: '#/components/responses/Error' }

/** Describes every rpc, its parameters, its messages, and its texts. */
export function contractDocument(): ContractDocument {
  const schemas = new Schemas()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const rpc of rpcs) {
    const path = paths[rpc.path] ?? {}
    path[rpc.verb.toLowerCase()] = operation(rpc, schemas)
    paths[rpc.path] = path
  }
  const tags = [...new Set(rpcs.flatMap((rpc) => rpc.tags))].map((name) => ({ name }))
  return { paths, schemas: schemas.all(), tags }
}

function operation(rpc: Rpc, schemas: Schemas): Record<string, unknown> {
  const body = rpc.verb === 'POST' ? { requestBody: requestBody(rpc, schemas) } : {}
  return {
    operationId: rpc.name,
    tags: rpc.tags,
    ...(rpc.summary === '' ? {} : { summary: rpc.summary }),
    ...(rpc.description === '' ? {} : { description: rpc.description }),
    parameters: parameters(rpc, schemas),
    ...body,
    responses: {
      200: { description: 'OK', content: { 'application/json': { schema: schemas.reference(rpc.responseType) } } },
      default: errorResponse,
    },
    security: [{ bearer: [] }],
  }
}

function requestBody(rpc: Rpc, schemas: Schemas): Record<string, unknown> {
  return { required: true, content: { 'application/json': { schema: schemas.reference(rpc.requestType) } } }
}

function parameters(rpc: Rpc, schemas: Schemas): readonly Record<string, unknown>[] {
  const variables = pathVariables(rpc)
  const inPath = variables.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: schemaAt(rpc.requestType, name, schemas),
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
