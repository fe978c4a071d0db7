/** Ways in which a call can fail, by HTTP status, as docs/http-status-codes.md explains them. */
const errors = {
  400: ['BadRequest', 'The request is wrong, or does not fit the present state. `details` say which field.'],
  401: ['Unauthenticated', 'The credentials are missing, wrong, expired or revoked.'],
  403: ['Forbidden', 'You may see it, but not do this.'],
  404: ['NotFound', 'There is no such thing, or you may not see it.'],
  409: ['Conflict', 'It exists already, or the operation id was used for another request.'],
  429: [
    'Exhausted',
    'Too many requests, or operations in flight: `Retry-After` says in how many seconds to try again.',
  ],
  501: ['Unimplemented', 'The contract has this method; this server does not do it yet.'],
  503: ['Unavailable', 'Try again in a moment.'],
} as const satisfies Readonly<Record<number, readonly [name: string, description: string]>>

type ErrorStatus = keyof typeof errors

const content = { 'application/json': { schema: { $ref: '#/components/schemas/Status' } } }

const retryAfter = { 'Retry-After': { $ref: '#/components/headers/Retry-After' } }

/** `components.responses` of a document whose operations refer to errors. */
export const errorResponses: Readonly<Record<string, object>> = Object.fromEntries(
  Object.entries(errors).map(([status, [name, description]]) => [
    name,
    { description, ...(status === '429' ? { headers: retryAfter } : {}), content },
  ]),
)

/** What an operation answers besides success. */
export function errorsOf(...statuses: readonly ErrorStatus[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    statuses.map((status) => [String(status), { $ref: `#/components/responses/${errors[status][0]}` }]),
  )
}
