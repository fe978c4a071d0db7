import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'
import { contractDocument } from './contract-document.ts'
import { errorResponses } from './error-responses.ts'
import { headerComponents } from './headers.ts'
import { ownPathItem } from './own-operation.ts'
import { referred } from './referred.ts'

const statusSchema = {
  type: 'object',
  description: 'google.rpc.Status',
  required: ['code', 'message'],
  properties: {
    code: { type: 'integer', description: 'The gRPC status code.' },
    message: { type: 'string' },
    details: {
      type: 'array',
      items: {
        type: 'object',
        required: ['@type'],
        properties: {
          '@type': { type: 'string', examples: ['type.googleapis.com/google.rpc.BadRequest'] },
          fieldViolations: {
            type: 'array',
            items: { type: 'object', properties: { field: { type: 'string' }, description: { type: 'string' } } },
          },
        },
      },
    },
  },
}

/** No address but this server's own: the page works offline, and tells nobody that it was opened. */
const contentSecurityPolicy =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; " +
  "object-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'"

export interface OpenapiOptions {
  readonly version: string
  /**
   * The rpcs of the Cloud Ops API that have a handler, where the API is in the document; the operator listener shows its
   * own routes only.
   */
  readonly served?: ReadonlySet<string>
}

/**
 * `/openapi.json` and a page at `/docs` that shows it. Register it before the routes: those of ours that have a schema
 * join the contract's in the document, unless the schema says `hide: true`.
 */
export const openapi = fp<OpenapiOptions>(
  async (app, { version, served }) => {
    const described = served === undefined ? { paths: {}, schemas: {}, tags: [] } : contractDocument(served)
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        servers: [{ url: '/', description: 'This server' }],
        info: { title: 'Aqueduct', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
        components: {
          securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'An API key' } },
        },
      },
      transformObject: (given) => {
        if (!('openapiObject' in given)) return given.swaggerObject
        const own = given.openapiObject
        const paths = { ...described.paths, ...ownPaths(own.paths ?? {}, served !== undefined) }
        const responses = referred('responses', errorResponses, paths)
        const headers = referred('headers', headerComponents, { paths, responses })
        const whole = {
          ...own,
          tags: [...described.tags, ...(own.tags ?? [])],
          paths,
          components: {
            ...own.components,
            schemas: { ...described.schemas, ...own.components?.schemas, Status: statusSchema },
            responses: { ...own.components?.responses, ...responses },
            headers: { ...own.components?.headers, ...headers },
          },
        }
        return whole as typeof own
      },
    })
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: contentSecurityPolicy,
      uiConfig: { docExpansion: 'none', deepLinking: true, validatorUrl: null },
    })
    // Written once: anybody may ask for it as often as they like, and it is large.
    let text: string | undefined
    app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
      text ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(text)
    })
  },
  { name: 'openapi', fastify: '5.x' },
)

function ownPaths(paths: Readonly<Record<string, object | undefined>>, open: boolean): Record<string, object> {
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, ownPathItem(path, item ?? {}, open)]))
}
