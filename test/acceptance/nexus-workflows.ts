import {
  CancellationScope,
  condition,
  createNexusServiceClient,
  defineSignal,
  isCancellation,
  NexusOperationCancellationType,
  setHandler,
  type WorkflowInterceptors,
  workflowInfo,
} from '@temporalio/workflow'
import { greeter } from './nexus-service.ts'

export interface Call {
  readonly endpoint: string
  readonly operation: 'sync' | 'async' | 'patient'
  readonly name: string
}

/** Gives operations the headers that stand in the workflow's memo: an author of workflows may give any. */
export function interceptors(): WorkflowInterceptors {
  return {
    outbound: [
      {
        startNexusOperation: (input, next) => {
          const headers = workflowInfo().memo?.headers as Record<string, string> | undefined
          return next({ ...input, headers: { ...input.headers, ...headers } })
        },
      },
    ],
  }
}

/** Calls an operation, and says what it said. */
export async function callOperation({ endpoint, operation, name }: Call): Promise<string> {
  const client = createNexusServiceClient({ endpoint, service: greeter })
  return client.executeOperation(operation, name, { scheduleToCloseTimeout: '30 s' })
}

/** Starts an operation that goes on until it is cancelled, cancels it, and waits until its handler says that it is. */
export async function callAndCancel(endpoint: string): Promise<string> {
  const client = createNexusServiceClient({ endpoint, service: greeter })
  const scope = new CancellationScope()
  try {
    return await scope.run(async () => {
      const handle = await client.startOperation('patient', 'somebody', {
        scheduleToCloseTimeout: '60 s',
        cancellationType: NexusOperationCancellationType.WAIT_CANCELLATION_COMPLETED,
      })
      scope.cancel()
      return handle.result()
    })
  } catch (thrown) {
    if (isCancellation(thrown)) return 'cancelled'
    throw thrown
  }
}

export const goOn = defineSignal('goOn')

/** What handlers start for the operation `async`: says where it ran. */
export async function greetFromHandler(name: string): Promise<string> {
  return `Hello ${name}, from ${workflowInfo().namespace}, later`
}

/** The same for `patient`, once it is told to. */
export async function greetWhenTold(name: string): Promise<string> {
  let told = false
  setHandler(goOn, () => {
    told = true
  })
  await condition(() => told)
  return greetFromHandler(name)
}
