import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker'
import type { Credentials } from './edge.ts'
import type { Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'
import type { Activities, greeting } from './workflows.ts'

const activities: Activities = { greet: async (name) => `Hello, ${name}` }
let bundle: Promise<WorkflowBundleWithSourceMap> | undefined

/** Some seconds of webpack, once a test file. */
export function workflowBundle(): Promise<WorkflowBundleWithSourceMap> {
  const logger = new DefaultLogger('ERROR')
  if (bundle === undefined) Runtime.install({ logger })
  bundle ??= bundleWorkflowCode({ workflowsPath: join(import.meta.dirname, 'workflows.ts'), logger })
  return bundle
}

/** What an SDK wants to know about a namespace's edge. Only the name is not found by DNS here, and so is overridden. */
export async function connectionOptions(namespace: Namespace, { identity, token }: Credentials) {
  const { ca } = await productUnderTest()
  return {
    address: `${namespace.host}:${namespace.port}`,
    tls: {
      serverNameOverride: namespace.hostname,
      serverRootCACertificate: Buffer.from(ca),
      ...(identity === undefined
        ? {}
        : { clientCertPair: { crt: Buffer.from(identity.certificate), key: Buffer.from(identity.key) } }),
    },
    ...(token === undefined ? {} : { apiKey: token }),
  }
}

/** A client of the TypeScript SDK. Close its connection. */
export async function sdkClient(namespace: Namespace, credentials: Credentials): Promise<Client> {
  const connection = await Connection.connect(await connectionOptions(namespace, credentials))
  return new Client({ connection, namespace: namespace.id })
}

/** Runs `work` while a worker of the TypeScript SDK serves the task queue. */
export async function withWorker<Result>(
  namespace: Namespace,
  credentials: Credentials,
  taskQueue: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const workflowBundleReady = await workflowBundle()
  const connection = await NativeConnection.connect(await connectionOptions(namespace, credentials))
  try {
    const worker = await Worker.create({
      connection,
      namespace: namespace.id,
      taskQueue,
      workflowBundle: workflowBundleReady,
      activities,
      shutdownGraceTime: '1 s',
    })
    return await worker.runUntil(work)
  } finally {
    await connection.close()
  }
}

/** Worker and client, both through the edge with the same credentials: a workflow with an activity, to its result. */
export async function runGreeting(namespace: Namespace, credentials: Credentials, name: string): Promise<string> {
  const client = await sdkClient(namespace, credentials)
  const taskQueue = `greetings-${randomUUID()}`
  try {
    return await withWorker(namespace, credentials, taskQueue, () =>
      client.workflow.execute<typeof greeting>('greeting', { args: [name], taskQueue, workflowId: randomUUID() }),
    )
  } finally {
    await client.connection.close()
  }
}
