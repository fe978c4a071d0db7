import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client, Connection } from '@temporalio/client'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import * as activities from './activities.ts'
import type { greeting } from './workflows.ts'

const usage = `usage: npx node apps/aqueduct/quickstart/sample/main.ts
  --address <host:port>        of the namespace's edge
  --server-name <name>         the namespace's host name, where DNS does not know it
  --namespace <id>
  --ca <file>                  the CA of the edge's certificate
  --cert <file> --key <file>   a client certificate, or
  --api-key-file <file>        an API key
  --name <text>                whom to greet`

const text = { type: 'string' } as const

/** A worker and a client of one namespace: they run one workflow with one activity, say its result, and end. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      address: text,
      'server-name': text,
      namespace: text,
      ca: text,
      cert: text,
      key: text,
      'api-key-file': text,
      name: { ...text, default: 'Ada' },
    },
  })
  const { address, namespace, ca, cert, key, name } = values
  const serverName = values['server-name']
  const apiKeyFile = values['api-key-file']
  const hasCertificate = cert !== undefined && key !== undefined
  if (address === undefined || namespace === undefined || (!hasCertificate && apiKeyFile === undefined)) {
    throw new Error(usage)
  }
  const options = {
    address,
    tls: {
      ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
      ...(ca === undefined ? {} : { serverRootCACertificate: readFileSync(ca) }),
      ...(hasCertificate ? { clientCertPair: { crt: readFileSync(cert), key: readFileSync(key) } } : {}),
    },
    ...(apiKeyFile === undefined ? {} : { apiKey: readFileSync(apiKeyFile, 'utf8').trim() }),
  }
  Runtime.install({ logger: new DefaultLogger('ERROR') })
  const taskQueue = `greetings-${randomUUID()}`
  const [clientSide, workerSide] = await Promise.all([Connection.connect(options), NativeConnection.connect(options)])
  try {
    const worker = await Worker.create({
      connection: workerSide,
      namespace,
      taskQueue,
      workflowsPath: join(import.meta.dirname, 'workflows.ts'),
      activities,
    })
    const client = new Client({ connection: clientSide, namespace })
    const workflowId = `greeting-${randomUUID()}`
    const result = await worker.runUntil(
      client.workflow.execute<typeof greeting>('greeting', { taskQueue, workflowId, args: [name] }),
    )
    process.stdout.write(`workflow ${workflowId} answered: ${result}\n`)
  } finally {
    await Promise.all([clientSide.close(), workerSide.close()])
  }
}

try {
  await main()
} catch (thrown) {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 1
}
