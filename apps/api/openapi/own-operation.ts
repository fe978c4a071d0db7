import { errorsOf } from './error-responses.ts'

type Operation = Readonly<Record<string, unknown>>

/** A path item of a route of ours as the document shows it: every operation with a name, and with how it can fail. */
export function ownPathItem(path: string, item: object, open: boolean): object {
  return Object.fromEntries(
    Object.entries(item).map(([verb, operation]) => [verb, ownOperation(verb, path, operation as Operation, open)]),
  )
}

function ownOperation(verb: string, path: string, operation: Operation, open: boolean): Operation {
  const { responses, ...rest } = operation
  return {
    operationId: operationId(verb, path),
    ...rest,
    // Routes of the public listener that have a schema of ours are for people who are nobody yet.
    ...(open ? { security: [] } : {}),
    responses: {
      ...(responses as object | undefined),
      ...errorsOf(400, 401, ...(open ? [] : ([403] as const)), 404, 409, 429, 503),
    },
  }
}

/** `POST /operator/v1/tenants/{id}/suspend` is `postTenantsByIdSuspend`. */
function operationId(verb: string, path: string): string {
  const words = path
    .replace(/^(\/operator)?\/v1\//, '')
    .replace(/\{(\w+)\}/g, 'by-$1')
    .split(/[/-]/)
  return verb + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}
