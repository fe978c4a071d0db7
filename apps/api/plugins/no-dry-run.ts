import type { FastifyInstance } from 'fastify'
import { invalidField } from '#libs/base'
import { dryRunHeader } from '../transport/call-context.ts'

/**
 * Routes of this scope do what they are asked to, or nothing: they have no dry run. Who asks for one is refused, once
 * it is known who asks, rather than believing that nothing was written. Reads write nothing anyway.
 */
export function refuseDryRuns(scope: FastifyInstance): void {
  scope.addHook('preValidation', async (request) => {
    const asked = request.headers[dryRunHeader]
    if (asked === undefined || asked === 'false' || request.method === 'GET' || request.method === 'HEAD') return
    throw invalidField(dryRunHeader, 'there are no dry runs here, and nothing was done: leave the header out')
  })
}
