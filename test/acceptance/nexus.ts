import { join } from 'node:path'
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus'
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker'
import { serviceHandler } from 'nexus-rpc'
import type { Mutated } from './cloud-api.ts'
import type { Credentials } from './edge.ts'
import type { Namespace } from './namespace.ts'
import { greeter } from './nexus-service.ts'
import type { greetFromHandler, greetWhenTold } from './nexus-workflows.ts'
import { connectionOptions } from './sdk.ts'
import type { Tenant } from './tenant.ts'

/** The task queue of every worker here. */
export const taskQueue = 'nexus'

export interface Endpoint {
  readonly id: string
  /** `/cloud/nexus/endpoints/<id>` */
  readonly path: string
}

export function endpointSpec(name: string, target: Namespace, callers: readonly Namespace[]) {
  return {
    name,
    targetSpec: { workerTargetSpec: { namespaceId: target.id, taskQueue } },
    policySpecs: callers.map(({ id }) => ({ allowedCloudNamespacePolicySpec: { namespaceId: id } })),
  }
}

/** A Nexus endpoint that acts. */
export async function createEndpoint(
  tenant: Tenant,
  name: string,
  target: Namespace,
  callers: readonly Namespace[],
): Promise<Endpoint> {
  const created = await tenant.api.post<Mutated & { endpointId: string }>('/cloud/nexus/endpoints', {
    spec: endpointSpec(name, target, callers),
  })
  await tenant.api.fulfilled(created)
  return { id: created.endpointId, path: `/cloud/nexus/endpoints/${created.endpointId}` }
}

let bundle: Promise<WorkflowBundleWithSourceMap> | undefined

function workflowBundle(): Promise<WorkflowBundleWithSourceMap> {
  const logger = new DefaultLogger('ERROR')
  if (bundle === undefined) Runtime.install({ logger })
  const workflowsPath = join(import.meta.dirname, 'nexus-workflows.ts')
  bundle ??= bundleWorkflowCode({ workflowsPath, workflowInterceptorModules: [workflowsPath], logger })
  return bundle
}

export interface RunningWorker {
  stop(): Promise<void>
}

/** A worker that calls and handles: what it answers says which namespace it is of. */
export async function startWorker(namespace: Namespace, credentials: Credentials): Promise<RunningWorker> {
  const workflows = await workflowBundle()
  const connection = await NativeConnection.connect(await connectionOptions(namespace, credentials))
  const worker = await Worker.create({
    connection,
    namespace: namespace.id,
    taskQueue,
    workflowBundle: workflows,
    nexusServices: [
      serviceHandler(greeter, {
        sync: async (_context, name) => `Hello ${name}, from ${namespace.id}`,
        async: new WorkflowRunOperationHandler<string, string>((context, name) =>
          startWorkflow<typeof greetFromHandler>(context, 'greetFromHandler', {
            workflowId: context.requestId,
            args: [name],
          }),
        ),
        patient: new WorkflowRunOperationHandler<string, string>((context, name) =>
          startWorkflow<typeof greetWhenTold>(context, 'greetWhenTold', {
            workflowId: context.requestId,
            args: [name],
          }),
        ),
      }),
    ],
    shutdownGraceTime: '1 s',
  })
  const running = worker.run()
  return {
    stop: async () => {
      worker.shutdown()
      await running
      await connection.close()
    },
  }
}
