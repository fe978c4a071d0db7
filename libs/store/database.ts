import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import { Pool, type PoolClient, types } from 'pg'
import type { Schema } from './schema.ts'
import { TenantShare } from './tenant-share.ts'

export type Executor = Kysely<Schema> | Transaction<Schema>
export type Trx = Transaction<Schema>

export interface DatabaseOptions {
  readonly url: string
  /** Connections at most. */
  readonly poolSize: number
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  /** Told about connections that die while idle, as they do when Postgres restarts: the pool replaces them. */
  readonly onIdleError?: (error: Error) => void
}

/**
 * Milliseconds after which the server ends a transaction whose process says nothing any more: one that was stopped in the
 * middle must not keep its rows from the others for longer than a lease.
 */
const idleInTransactionMs = 10_000

// Versions and generations are far below 2^53 for ever; text for them would leak bigint handling into every caller.
types.setTypeParser(types.builtins.INT8, (value) => Number(value))

/**
 * The product's database as one role sees it.
 *
 * A tenant's work runs on a connection whose setting `aqueduct.tenant_id` names that tenant, which row-level security
 * compares with. The setting stays with the connection, and is only sent when the tenant changes: one round trip less
 * on the hot path. It is always sent outside a transaction, since a rollback would take it back behind our back.
 */
export class Database {
  readonly #pool: Pool
  readonly #everyTenant: Kysely<Schema>
  readonly #shares: TenantShare
  readonly #byClient = new WeakMap<PoolClient, { readonly kysely: Kysely<Schema>; tenantId: string }>()

  constructor(options: DatabaseOptions) {
    this.#pool = new Pool({
      connectionString: options.url,
      max: options.poolSize,
      application_name: options.applicationName,
      connectionTimeoutMillis: 10_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      idle_in_transaction_session_timeout: idleInTransactionMs,
    })
    // A burst of one tenant, or one that waits for a lock of its own, leaves connections to the others.
    this.#shares = new TenantShare(Math.max(1, Math.ceil(options.poolSize / 2)))
    this.#pool.on('error', (error) => options.onIdleError?.(error))
    // While a client is out of the pool its errors are its own; whoever uses it sees them in the statement's answer.
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
    this.#everyTenant = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: this.#pool }) })
  }

  get pool(): Pool {
    return this.#pool
  }

  /** Rows of every tenant, as far as the role's policies let it: for operators, reconcilers and edges. */
  get all(): Kysely<Schema> {
    return this.#everyTenant
  }

  /**
   * Runs `work` on a connection that sees the rows of one tenant, which has half of the connections at most. Never call
   * it within itself: at its share, a tenant would wait for itself.
   */
  async ofTenant<Result>(tenantId: string, work: (executor: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    return this.#shares.run(tenantId, () => this.#onClientOf(tenantId, work))
  }

  async #onClientOf<Result>(tenantId: string, work: (executor: Kysely<Schema>) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect()
    try {
      const bound = this.#bind(client)
      if (bound.tenantId !== tenantId) {
        // Forgotten first: should the statement fail, the next user of the connection sends it again.
        bound.tenantId = ''
        await client.query("select set_config('aqueduct.tenant_id', $1, false)", [tenantId])
        bound.tenantId = tenantId
      }
      return await work(bound.kysely)
    } finally {
      // The pool itself looks whether the connection still lives.
      client.release()
    }
  }

  /** The same in one transaction. */
  async transactionOfTenant<Result>(tenantId: string, work: (trx: Trx) => Promise<Result>): Promise<Result> {
    return this.ofTenant(tenantId, (executor) => executor.transaction().execute(work))
  }

  async close(): Promise<void> {
    await this.#everyTenant.destroy()
    // Kysely ends the pool only if it ever used it.
    if (!this.#pool.ended) await this.#pool.end()
  }

  #bind(client: PoolClient): { readonly kysely: Kysely<Schema>; tenantId: string } {
    const known = this.#byClient.get(client)
    if (known !== undefined) return known
    // The client is given back by `ofTenant`; Kysely's own release after each statement must not do it.
    const lent = { query: client.query.bind(client), release: () => undefined }
    const borrowed = { connect: async () => lent, end: async () => undefined }
    const bound = { kysely: new Kysely<Schema>({ dialect: new PostgresDialect({ pool: borrowed }) }), tenantId: '' }
    this.#byClient.set(client, bound)
    return bound
  }
}
