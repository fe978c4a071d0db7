/** Parts that the operator API's schemas are put together from. JSON Schema, as OpenAPI 3.1 takes it. */
type Schema = Readonly<Record<string, unknown>>
type Properties = Readonly<Record<string, Schema>>

export const string = { type: 'string' } as const
export const integer = { type: 'integer' } as const
export const boolean = { type: 'boolean' } as const
export const time = { type: 'string', format: 'date-time' } as const
export const oneOf = (...values: readonly string[]) => ({ type: 'string', enum: values }) as const

/** An answer. Whatever is not a property of it, the serializer leaves out; `optional` ones may be missing. */
export function answer(properties: Properties, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', additionalProperties: false, required, properties } as const
}

export function listOf(name: string, item: Schema) {
  return answer({ [name]: { type: 'array', items: item }, nextPageToken: string })
}

/** A request's body or query. What is not a property of it is refused. */
export function request(properties: Properties, required: readonly string[] = []) {
  return { type: 'object', additionalProperties: false, required, properties } as const
}

/** For calls that say everything in their path. */
export const noBody = { type: ['object', 'null'], additionalProperties: false } as const

/** What `idParameter` makes of a route's path. */
export interface ById {
  readonly Params: { readonly id: string }
}

export const idParameter = request({ id: { type: 'string', minLength: 1, maxLength: 128 } }, ['id'])

/** What a route says about itself: its part of the document, and its answer when all is well. */
export function route(tag: string, summary: string, response: Schema, rest: Schema = {}) {
  return { tags: [tag], summary, response: { 200: response }, ...rest } as const
}
