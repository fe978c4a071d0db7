/** A JSON object in Envoy's words (proto field names). */
export type Proto = Readonly<Record<string, unknown>>

/** An `Any`: the message's fields with the name of its type. */
export function any(type: string, fields: Proto): Proto {
  return { '@type': `type.googleapis.com/${type}`, ...fields }
}

/** An extension as Envoy's filter lists want it. */
export function extension(name: string, type: string, fields: Proto): Proto {
  return { name, typed_config: any(type, fields) }
}
