import { type FastifyInstance, fastify } from 'fastify'
import { AppError } from '#libs/base'
import type { CloudHandlers } from '#libs/cloud-api'
import { createLogger, Registry } from '#libs/telemetry'
import { openapi } from '../openapi/openapi.ts'
import { errors } from '../plugins/errors.ts'
import type { CallContext } from './call-context.ts'
import { createDispatch, type Dispatch } from './dispatcher.ts'
import { allowedMethods, rest } from './rest.ts'
import { restServerOptions } from './rest-server-options.ts'

export interface FakeClaims {
  readonly id: string
}

/** Both transports over handlers of the test's own; `Bearer good` is the one key that anybody has. */
export function fakeDispatch(handlers: CloudHandlers<CallContext<FakeClaims>>, registry = new Registry()): Dispatch {
  return createDispatch<FakeClaims>({
    handlers,
    authenticate: async ({ authorization }) => {
      if (authorization === 'Bearer good') return { id: 'usr-1' }
      throw new AppError('unauthenticated', 'an API key is needed')
    },
    admit: async ({ authorization }) =>
      authorization === 'Bearer good' ? {} : { refusal: new AppError('unauthenticated', 'an API key is needed') },
    principalOf: (claims) => claims.id,
    logger: createLogger('test', 'silent'),
    registry,
  })
}

export async function fakeRestServer(dispatch: Dispatch): Promise<FastifyInstance> {
  const app = fastify(restServerOptions)
  await app.register(errors, { logger: createLogger('test', 'silent'), allowedMethods })
  await app.register(openapi, { version: '0.0.0', served: new Set(['GetNamespace']) })
  await app.register(rest, { dispatch })
  app.get('/broken', { schema: { hide: true } }, async () => {
    throw new Error('password is hunter2')
  })
  await app.ready()
  return app
}
