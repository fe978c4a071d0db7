import protojson from 'protobufjs/ext/protojson.js'
import type protobuf from 'protobufjs/light.js'

/**
 * Writes canonical proto3 JSON: lowerCamelCase, enums by full name, int64 as a string, Timestamp and Duration as text,
 * bytes as base64, `Any` with "@type"; what is unset, empty or a default without presence is left out.
 * @throws Error when the message does not fit its type, which only a mistake of ours can cause.
 */
export function toJson(type: protobuf.Type, message: object): unknown {
  const json: unknown = protojson.toJson(type, message)
  return json
}
