import type protobuf from 'protobufjs/light.js'
import { isWellKnown } from '#libs/cloud-api'

/** A JSON schema, as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>

const wellKnown: Readonly<Record<string, Schema>> = {
  Timestamp: { type: 'string', format: 'date-time' },
  Duration: { type: 'string', pattern: String.raw`^-?\d+(\.\d{1,9})?s$`, examples: ['3.5s'] },
  Any: { type: 'object', properties: { '@type': { type: 'string' } }, additionalProperties: true },
  Struct: { type: 'object', additionalProperties: true },
  ListValue: { type: 'array' },
  Value: {},
}

const scalars: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  bytes: { type: 'string', contentEncoding: 'base64' },
  int32: { type: 'integer', format: 'int32' },
  uint32: { type: 'integer', minimum: 0 },
  int64: { type: 'string', format: 'int64', pattern: String.raw`^-?\d+$` },
  uint64: { type: 'string', format: 'uint64', pattern: String.raw`^\d+$` },
  float: { type: 'number', format: 'float' },
  double: { type: 'number', format: 'double' },
}

/** Collects a schema for each message and enum that something refers to. */
export class Schemas {
  readonly #components = new Map<string, Schema>()

  /** A reference to the type's schema, which is described on the way. */
  reference(type: protobuf.Type | protobuf.Enum): Schema {
    if ('fieldsArray' in type && isWellKnown(type)) return wellKnown[type.name] ?? {}
    const name = type.fullName.replace(/^\.temporal\.api\.(cloud\.)?/, '')
    if (!this.#components.has(name)) {
      // Taken before it is filled, for a message that holds itself.
      this.#components.set(name, {})
      this.#components.set(name, 'fieldsArray' in type ? this.#message(type) : enumSchema(type))
    }
    return { $ref: `#/components/schemas/${name}` }
  }

  /** The schema of one field, as JSON writes it. */
  field(field: protobuf.Field): Schema {
    const value = this.#value(field)
    const whole = field.repeated
      ? { type: 'array', items: value }
      : 'keyType' in field
        ? { type: 'object', additionalProperties: value }
        : value
    return field.options?.deprecated === true ? { ...whole, deprecated: true } : whole
  }

  /** Everything that was referred to, by name. */
  all(): Readonly<Record<string, Schema>> {
    return Object.fromEntries([...this.#components].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #message(type: protobuf.Type): Schema {
    const properties = Object.fromEntries(type.fieldsArray.map((field) => [field.jsonName, this.field(field)]))
    const oneofs = type.oneofsArray.filter((oneof) => oneof.fieldsArray.length > 1)
    const exclusive = oneofs.map((oneof) => `At most one of ${oneof.fieldsArray.map((f) => f.jsonName).join(', ')}.`)
    return {
      type: 'object',
      properties,
      ...(exclusive.length === 0 ? {} : { description: exclusive.join(' ') }),
    }
  }

  #value(field: protobuf.Field): Schema {
    if (field.resolvedType !== null) return this.reference(field.resolvedType)
    const scalar = scalars[field.type]
    if (scalar === undefined) throw new Error(`${field.fullName}: no schema for ${field.type}`)
    return scalar
  }
}

function enumSchema(type: protobuf.Enum): Schema {
  return { type: 'string', enum: Object.keys(type.values) }
}
