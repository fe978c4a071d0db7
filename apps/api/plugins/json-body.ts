import type { FastifyInstance } from 'fastify'
import { invalidField } from '#libs/base'

/** Bodies of this scope are JSON and nothing else; an empty one is no body, whatever its content type says. */
export function parseJsonBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') return done(null, undefined)
    try {
      return done(null, JSON.parse(body.toString()))
    } catch {
      // What the parser says quotes the body, which may hold a token.
      return done(invalidField('body', 'is not JSON'))
    }
  })
}
