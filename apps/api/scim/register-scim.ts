import type { FastifyInstance } from 'fastify'
import { notFound } from '#libs/base'
import { ScimError } from '#libs/domain/scim'
import { overDatabase } from '../plugins/over-database.ts'
import { admitScimCaller } from './caller.ts'
import { scimDiscovery } from './discovery.ts'
import { scimErrors } from './errors.ts'
import { scimGroups } from './groups.ts'
import { scimMediaType } from './media-type.ts'
import type { ScimDeps } from './scim-context.ts'
import { scimUsers } from './users.ts'

/** Bytes: ten thousand members fit. */
const bodyLimit = 1024 * 1024

/**
 * SCIM 2.0 (RFC 7643, RFC 7644) for the identity provider of a tenant, below `/scim/v2`: users, and the groups that the
 * Cloud Ops API calls SCIM groups. The API key says whose users they are. Register it on a server made with
 * `restServerOptions`, with the `errors` plugin.
 */
export async function registerScim(app: FastifyInstance, deps: ScimDeps): Promise<void> {
  await app.register(
    async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser(
        ['application/scim+json', 'application/json'],
        { parseAs: 'string', bodyLimit },
        (_request, body, done) => {
          try {
            return done(null, body === '' ? undefined : JSON.parse(body.toString()))
          } catch {
            return done(new ScimError('invalidSyntax', 'the body is not JSON'))
          }
        },
      )
      scope.setErrorHandler(scimErrors(deps))
      scope.addHook('onRequest', (request, reply) =>
        overDatabase(() => admitScimCaller(deps.authenticate, request, reply)),
      )
      scope.addHook('onSend', async (_request, reply) => {
        if (reply.statusCode !== 204) reply.type(scimMediaType)
      })
      scope.addHook('onRoute', (route) => {
        // Described by the RFC, and not in our document.
        route.schema = { ...route.schema, hide: true }
        const { handler } = route
        route.handler = function (request, reply) {
          const { id = '' } = (request.params ?? {}) as { readonly id?: string }
          // Postgres has no such text, and would say so as if the mistake were ours.
          if (id.includes('\0')) throw notFound('resource', id)
          return overDatabase(async () => handler.call(this, request, reply))
        }
      })
      scimDiscovery(scope)
      scimUsers(scope, deps)
      scimGroups(scope, deps)
    },
    { prefix: '/scim/v2' },
  )
}
