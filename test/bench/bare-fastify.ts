/**
 * The floor of `GetNamespace`: bare Fastify with one indexed SELECT, in a process of its own as the API is. Told by its
 * parent where the database is; tells it the port.
 */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { Pool } from 'pg'

export interface BareOptions {
  readonly databaseUrl: string
  readonly poolSize: number
}

process.once('message', ({ databaseUrl, poolSize }: BareOptions) => {
  const pool = new Pool({ connectionString: databaseUrl, max: poolSize })
  const app = fastify()
  app.get<{ Params: { id: string } }>('/namespaces/:id', async (request) => {
    const { rows } = await pool.query('select * from namespaces where id = $1', [request.params.id])
    return rows[0]
  })
  app.listen({ host: '127.0.0.1', port: 0 }, (error) => {
    if (error !== null) throw error
    process.send?.((app.server.address() as AddressInfo).port)
  })
})
process.on('disconnect', () => process.exit(0))
