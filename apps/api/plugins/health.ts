import type { FastifyInstance } from 'fastify'
import { coerceError } from '#libs/base'
import type { Registry } from '#libs/telemetry'

export interface HealthOptions {
  /** Rejects, with a reason that a person understands, while the process cannot do its work. */
  readonly ready: () => Promise<void>
  /** Served as `/metrics`; left out on listeners that strangers reach. */
  readonly registry?: Registry
}

/** `/healthz`: the process lives. `/readyz`: it can do its work. */
export async function health(app: FastifyInstance, { ready, registry }: HealthOptions): Promise<void> {
  app.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }))
  app.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
    try {
      await ready()
      return { status: 'ok' }
    } catch (thrown) {
      return reply.code(503).send({ status: coerceError(thrown).message })
    }
  })
  if (registry === undefined) return
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
}
