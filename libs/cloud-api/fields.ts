import type protobuf from 'protobufjs/light.js'

const namesByType = new WeakMap<protobuf.Type, ReadonlyMap<string, protobuf.Field>>()

/** The field that a caller means by a name, which may be written `retentionDays` or `retention_days`. */
export function fieldNamed(type: protobuf.Type, name: string): protobuf.Field | undefined {
  const known = namesByType.get(type)
  if (known !== undefined) return known.get(name)
  // A Map and no object, so that `__proto__` and `constructor` are names like any other.
  const names = new Map<string, protobuf.Field>()
  for (const field of type.fieldsArray) {
    for (const alias of [field.name, field.jsonName, field.protoName]) names.set(alias, field)
  }
  namesByType.set(type, names)
  return names.get(name)
}

/** Whether proto3 JSON writes the message as something else than an object of its fields. */
export function isWellKnown(type: protobuf.Type): boolean {
  return type.fullName.startsWith('.google.protobuf.')
}
