import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, Connection, type WorkflowHandle } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import * as activities from './activities.ts'
import type { ClientCertificate } from './tenant.ts'
import { type count, finish, type sum } from './workflows.ts'

export interface TrafficOptions {
  /** The edge's address and port. */
  readonly edge: string
  readonly namespaceId: string
  readonly hostname: string
  readonly certificate: ClientCertificate
  /** Trusted for the edge's certificate, PEM. */
  readonly serverCa: string
}

export interface Failure {
  /** `performance.now()` when the call began and ended. */
  readonly from: number
  readonly to: number
  readonly reason: string
}

const taskQueue = 'faults'
const pauseMs = 100

/**
 * A customer's worker and client on one namespace, over mTLS through the edge: one workflow that runs from beginning to
 * end, and short ones all the time. Every call that fails is written down, and it goes on.
 */
export class Traffic {
  readonly #worker: Worker
  readonly #running: Promise<void>
  readonly #connections: { close(): Promise<void> }[]
  readonly #clients: Client[]
  readonly #ending = new AbortController()
  readonly #loops: Promise<void>[]
  readonly #counting: WorkflowHandle<typeof count>
  /** Calls that failed although the SDK repeated them as it does by itself. */
  readonly failures: Failure[] = []
  /** Calls that failed the first time, of a client that repeats nothing. */
  readonly rawFailures: Failure[] = []
  completed = 0

  static async start(options: TrafficOptions): Promise<Traffic> {
    const { edge, hostname, certificate, serverCa, namespaceId: namespace } = options
    const connection = {
      address: edge,
      tls: {
        serverNameOverride: hostname,
        serverRootCACertificate: Buffer.from(serverCa),
        clientCertPair: { crt: Buffer.from(certificate.certificate), key: Buffer.from(certificate.privateKey) },
      },
    }
    const native = await NativeConnection.connect(connection)
    const [usual, raw] = await Promise.all([
      Connection.connect(connection),
      Connection.connect({ ...connection, interceptors: [] }),
    ])
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
      activities,
    })
    const clients = [usual, raw].map((each) => new Client({ connection: each, namespace }))
    const [first] = clients
    if (first === undefined) throw new Error('no client')
    const counting = await first.workflow.start<typeof count>('count', { taskQueue, workflowId: 'counting' })
    return new Traffic(worker, clients, [usual, raw, native], counting)
  }

  private constructor(
    worker: Worker,
    clients: Client[],
    connections: { close(): Promise<void> }[],
    counting: WorkflowHandle<typeof count>,
  ) {
    this.#worker = worker
    this.#running = worker.run()
    this.#connections = connections
    this.#clients = clients
    this.#counting = counting
    this.#loops = [this.#loop(clients[0], this.failures), this.#describe(clients[1])]
  }

  /** Milliseconds from the call to a result, for one short workflow more. */
  async roundTrip(): Promise<number> {
    const began = performance.now()
    await this.#sum(this.#clients[0], `single-${began}`)
    return performance.now() - began
  }

  /**
   * Ends the long workflow, then the worker. @returns how far it counted.
   */
  async end(): Promise<number> {
    this.#ending.abort()
    await Promise.all(this.#loops)
    await this.#counting.signal(finish)
    const counted = await this.#counting.result()
    await this.close()
    return counted
  }

  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#loops)
    if (this.#worker.getState() !== 'RUNNING') return
    this.#worker.shutdown()
    await this.#running
    for (const connection of this.#connections) await connection.close()
  }

  async #loop(client: Client | undefined, failures: Failure[]): Promise<void> {
    for (let index = 0; !this.#ending.signal.aborted; index += 1) {
      await this.#note(failures, async () => {
        const result = await this.#sum(client, `sum-${index}`)
        if (result !== 3) throw new Error(`1 + 2 = ${result}`)
        this.completed += 1
      })
      await this.#pause()
    }
  }

  async #describe(client: Client | undefined): Promise<void> {
    while (!this.#ending.signal.aborted) {
      await this.#note(this.rawFailures, async () => {
        await client?.workflow.getHandle('counting').describe()
      })
      await this.#pause()
    }
  }

  async #sum(client: Client | undefined, workflowId: string): Promise<number | undefined> {
    return client?.workflow.execute<typeof sum>('sum', { taskQueue, workflowId, args: [1, 2] })
  }

  async #note(failures: Failure[], work: () => Promise<void>): Promise<void> {
    const from = performance.now()
    try {
      await work()
    } catch (thrown) {
      const error = thrown as Error
      const reason = [error.message, error.cause instanceof Error ? error.cause.message : ''].join(': ')
      failures.push({ from, to: performance.now(), reason })
    }
  }

  async #pause(): Promise<void> {
    await delay(pauseMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
  }
}
