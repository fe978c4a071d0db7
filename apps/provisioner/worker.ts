import { Logger as GraphileLogger, type Runner, run, type TaskList } from 'graphile-worker'
import type { Pool } from 'pg'
import { enqueue, type TaskName, type TaskPayloads } from '#libs/jobs'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import type { Next } from './reconcilers/next.ts'

export type Reconcilers = { readonly [Name in TaskName]: (id: string) => Promise<Next> }

export interface WorkerDeps {
  readonly database: Database
  readonly pool: Pool
  readonly reconcilers: Reconcilers
  /** Passes at once. */
  readonly concurrency: number
  /** Milliseconds between two looks for jobs whose time has come; new jobs without delay are told by Postgres at once. */
  readonly pollIntervalMs: number
  readonly logger: Logger
}

/** Jobs that were fetched and wait for a free worker go back after so long, to another replica perhaps. */
const localQueueMs = 5_000

/**
 * The queue's worker. A pass that wants to come again is a new job: the queue's own retries are for what we did not
 * foresee, and their growing pauses would be too long for a caller who polls.
 */
export async function startWorker(deps: WorkerDeps): Promise<Runner> {
  const { database, reconcilers } = deps
  const taskList: TaskList = {
    'reconcile-namespace': task('reconcile-namespace', 'namespaceId'),
    'reconcile-nexus-endpoint': task('reconcile-nexus-endpoint', 'endpointId'),
    'reconcile-cell': task('reconcile-cell', 'cellId'),
    'reconcile-node': task('reconcile-node', 'nodeId'),
    'reconcile-rollout': task('reconcile-rollout', 'rolloutId'),
  }

  function task<Name extends TaskName>(name: Name, field: keyof TaskPayloads[Name] & string) {
    return async (payload: unknown) => {
      const id = readId(payload, field)
      const next = await reconcilers[name](id)
      if (next.kind === 'again') await enqueue(database.all, name, { [field]: id } as TaskPayloads[Name], next.afterMs)
    }
  }

  return run({
    pgPool: deps.pool,
    taskList,
    concurrency: deps.concurrency,
    pollInterval: deps.pollIntervalMs,
    // One looks for all. By itself each of the concurrent workers looks as often, which cost a tenth of a core at rest.
    preset: { worker: { localQueue: { size: deps.concurrency, ttl: localQueueMs } } },
    noHandleSignals: true,
    logger: queueLogger(deps.logger),
  })
}

function readId(payload: unknown, field: string): string {
  if (typeof payload === 'object' && payload !== null && field in payload) {
    const value = Reflect.get(payload, field)
    if (typeof value === 'string') return value
  }
  throw new Error(`a job's payload lacks ${field}`)
}

/** The queue tells of every job that begins and ends; its errors and warnings are enough for our log. */
function queueLogger(logger: Logger): GraphileLogger {
  return new GraphileLogger(() => (level, message) => {
    if (level === 'error') logger.error({ queue: message }, 'queue')
    else if (level === 'warning') logger.warn({ queue: message }, 'queue')
    else logger.debug({ queue: message }, 'queue')
  })
}
